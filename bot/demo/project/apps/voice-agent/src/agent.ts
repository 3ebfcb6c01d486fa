import { cli, defineAgent, type JobContext, ServerOptions } from '@livekit/agents';

export default defineAgent({
  entry: async (ctx: JobContext) => {
    await ctx.connect();
    const participant = await ctx.waitForParticipant();
    await ctx.room.localParticipant?.sendText(`Hello ${participant.identity}.`, { topic: 'lk.chat' });
  },
});

cli.runApp(new ServerOptions({
  agent: import.meta.filename,
  agentName: 'livekit-ganglia-agent',
  initializeProcessTimeout: 60_000,
}));
