import { cli, ServerOptions } from '@livekit/agents';

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing`);
  return value;
}

function loadConfig() {
  return { agentName: required('WORKER_NAME'), url: required('LIVEKIT_URL') };
}

const config = loadConfig();
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: config.agentName }));
