import { ServerOptions } from 'https';
import { ServerOptions as SocketOptions } from 'socket.io';
import { cli } from 'commander';

class WorkerOptions {
  constructor(readonly value: { agentName: string }) {}
}

const one = new ServerOptions({ agentName: 'https' });
const two = new SocketOptions({ agentName: 'socket' });
const three = new WorkerOptions({ agentName: 'own-class' });
cli.runApp({ agentName: 'other-cli' });
// cli.runApp(new ServerOptions({ agentName: 'comment' }));
const four = `cli.runApp(new ServerOptions({ agentName: 'template' }))`;
