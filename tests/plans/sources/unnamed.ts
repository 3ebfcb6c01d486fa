import { cli, ServerOptions } from '@livekit/agents';

cli.runApp(new ServerOptions({
  agent: import.meta.filename,
  initializeProcessTimeout: 60_000,
}));
