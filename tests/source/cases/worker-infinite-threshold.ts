import { cli, ServerOptions } from '@livekit/agents';

cli.runApp(new ServerOptions({ agent: 'a', agentName: 'n', loadThreshold: Infinity, initializeProcessTimeout: 6e4 }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: 'm', loadThreshold: 0, loadFunc: undefined }));
