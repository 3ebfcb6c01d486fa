const { cli: runner, WorkerOptions: Options } = require('@livekit/agents');
const livekit = require('@livekit/agents');

if (require.main === module) {
  runner.runApp(new Options({ agent: __filename, agentName: 'destructured' }));
}
livekit.cli.runApp(new livekit.ServerOptions({ agent: __filename, agentName: 'whole-module' }));
