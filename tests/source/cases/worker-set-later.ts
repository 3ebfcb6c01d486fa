import { cli, ServerOptions } from '@livekit/agents';

const options = new ServerOptions({ agent: import.meta.filename, agentName: 'first' });
options.agentName = 'second';
options['initializeProcessTimeout'] = 20_000;

export function main() {
  cli.runApp(options);
}
