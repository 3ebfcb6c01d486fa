import { cli, ServerOptions } from '@livekit/agents';
import { env } from 'node:process';

const { AGENT_NAME = 'by-default', OTHER } = process.env;
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: AGENT_NAME }));
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: OTHER }));
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: env.THIRD }));
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: import.meta.env.VITE_AGENT }));
