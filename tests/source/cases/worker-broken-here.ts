import { cli, ServerOptions } from '@livekit/agents';

cli.runApp(new ServerOptions({
  agent: 'a',
<<<<<<< HEAD
  agentName: 'ours',
=======
  agentName: 'theirs',
>>>>>>> branch
}));
