import { cli, ServerOptions } from '@livekit/agents';
import { AGENT_NAME } from '@acme/names';
import { options } from './missing';

cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: AGENT_NAME }));
cli.runApp(options);
