// The emulator of Slack's Web API, on a port that is free, with what is given as JSON in it; it says where it listens.
import { createEmulator } from 'emulate';

const emulator = await createEmulator({ service: 'slack', port: 0, seed: { slack: JSON.parse(process.argv[2]) } });
console.log(JSON.stringify({ url: emulator.url }));
process.stdin.resume();
process.stdin.on('end', async () => {
  await emulator.close();
  process.exit(0);
});
