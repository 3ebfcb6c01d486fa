import { cli, ServerOptions } from '@livekit/agents';

const NAMES = { support: 'support-bot', sales: 'sales-bot' } as const;
const listed = ['zero', 'one'];
cli.runApp(new ServerOptions({ agent: 'a', agentName: NAMES.support }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: NAMES['sales'] }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: listed[1] }));
cli.runApp(new ServerOptions({ agent: 'a', agentName: NAMES[process.argv[2]] }));
