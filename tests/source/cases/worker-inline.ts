import { cli, ServerOptions } from '@livekit/agents';
import { fileURLToPath } from 'node:url';

// agentName: 'from-a-comment'
const text = "new ServerOptions({ agentName: 'from-a-string' })";
const decoy = { agentName: 'decoy', serverType: 2 };

cli.runApp(
  new ServerOptions({
    agent: fileURLToPath(import.meta.url),
    agentName: 'front-desk', // agentName: 'from-a-trailing-comment'
    initializeProcessTimeout: 60 * 1_000,
    loadThreshold: 0.9,
    loadFunc: async () => 0,
    requestFunc: async (job) => job.accept(),
  }),
);
