import { cli, ServerOptions } from '@livekit/agents';

let name = 'first';
name = 'second';
let decided;
if (process.argv.length > 2) {
  decided = 'a';
} else {
  decided = 'b';
}
cli.runApp(new ServerOptions({ agent: 'a', agentName: name }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: decided }));
