import { cli, ServerOptions } from '@livekit/agents';
import { z } from 'zod';

const env = z.object({ WORKER_NAME: z.string().default('hidden') }).parse(process.env);
cli.runApp(new ServerOptions({ agent: 'a', agentName: env.WORKER_NAME }));
