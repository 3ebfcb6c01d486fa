import { cli, ServerOptions } from '@livekit/agents';

function options(name: string) {
  const prefix = 'acme';
  return new ServerOptions({ agent: import.meta.filename, agentName: `${prefix}-${name}` });
}

const plain = () => ({ agent: import.meta.filename, agentName: 'from-an-arrow' });

cli.runApp(options('support'));
cli.runApp(new ServerOptions(plain()));
