import { cli, ServerOptions } from '@livekit/agents';
import { defaults } from 'company-defaults';

cli.runApp(new ServerOptions({ agentName: 'overridable', ...defaults, agent: import.meta.filename }));
cli.runApp(new ServerOptions({ ...defaults, agentName: 'sure', agent: import.meta.filename }));
