import { cli, ServerOptions, type JobContext } from '@livekit/agents';

class Names {
  static readonly SUPPORT = 'from-a-static-field';
}

enum Agents {
  Sales = 'from-an-enum',
}

class Launcher {
  private readonly agentName = 'from-a-field';

  constructor(private readonly timeout = 5_000) {}

  start(): void {
    cli.runApp(new ServerOptions({ agent: 'a', agentName: this.agentName, initializeProcessTimeout: this.timeout }));
  }
}

class Own extends ServerOptions {
  constructor() {
    super({ agent: 'a', agentName: 'from-super' });
  }
}

cli.runApp(new ServerOptions({ agent: 'a', agentName: Names.SUPPORT }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: Agents.Sales }));
cli.runApp(new Own());
new Launcher().start();
