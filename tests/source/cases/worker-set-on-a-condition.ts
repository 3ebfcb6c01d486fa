import { cli, ServerOptions } from '@livekit/agents';

const options: Record<string, unknown> = { agent: import.meta.filename };
if (process.env.STAGING) {
  options.agentName = 'staging';
}
cli.runApp(new ServerOptions(options));
