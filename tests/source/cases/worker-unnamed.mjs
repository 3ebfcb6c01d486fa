import { cli, defineAgent, ServerOptions } from '@livekit/agents';

export default defineAgent({ entry: async (ctx) => ctx.connect() });

cli.runApp(new ServerOptions({ agent: import.meta.filename, numIdleProcesses: 1 }));
