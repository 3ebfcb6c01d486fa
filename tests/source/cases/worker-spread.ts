import { cli, ServerOptions } from '@livekit/agents';

const base = { agentName: 'from-the-spread', initializeProcessTimeout: 30_000 } as const;

cli.runApp(new ServerOptions({ ...base, agent: import.meta.filename }));
cli.runApp(new ServerOptions({ ...base, agentName: 'after-the-spread', agent: import.meta.filename }));
cli.runApp(new ServerOptions({ agentName: 'before-the-spread', ...base, agent: import.meta.filename }));
cli.runApp(new ServerOptions(Object.assign({}, base, { agent: import.meta.filename })));
