import { cli, ServerOptions } from '@livekit/agents';

const agentName = (process.env.VOICE_AGENT || 'standard').trim();
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: process.env['AGENT'] ?? 'fallback' }));
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName }));
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: process.env.REQUIRED! }));
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: `${process.env.STAGE}-bot` }));
