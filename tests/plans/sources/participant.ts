import { cli, ServerOptions } from '@livekit/agents';
import { JobType } from '@livekit/protocol';

cli.runApp(new ServerOptions({
  agent: import.meta.filename,
  agentName: 'NAME',
  serverType: JobType.JT_PARTICIPANT,
  initializeProcessTimeout: 60_000,
}));
