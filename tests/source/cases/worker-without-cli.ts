import { AgentServer, ServerOptions } from '@livekit/agents';

const server = new AgentServer(new ServerOptions({ agent: import.meta.filename, agentName: 'embedded' }));
await server.run();
