import { cli, ServerOptions } from '@livekit/agents';
import { JobType } from '@livekit/protocol';

const kind = JobType.JT_PUBLISHER;
cli.runApp(new ServerOptions({ agent: 'a', agentName: 'p', serverType: JobType.JT_PARTICIPANT }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: 'q', serverType: kind }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: 'r', serverType: 2 as JobType }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: 's', workerType: JobType.JT_PUBLISHER }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: 't', serverType: choose() }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: 'u', workerType: JobType.JT_ROOM }));
