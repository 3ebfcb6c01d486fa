import * as agents from '@livekit/agents';
import { ServerOptions as Options, cli as runner } from '@livekit/agents';

runner.runApp(new Options({ agent: import.meta.filename, agentName: 'aliased' }));
agents.cli.runApp(new agents.WorkerOptions({ agent: import.meta.filename, agentName: 'namespaced' }));
