import { cli, ServerOptions } from '@livekit/agents';

function load(): { agentName: string } {
  try {
    return { agentName: 'from-a-try-block' };
  } catch (error) {
    process.exit(1);
  }
}

function main() {
  const config = load();
  cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: config.agentName }));
}
main();
