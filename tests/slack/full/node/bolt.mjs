// A small app on Slack's own Bolt for JavaScript: it judges the gateway by getting along with it.
import bolt from '@slack/bolt';

const { App, LogLevel } = bolt;
const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  logLevel: LogLevel.ERROR,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});
const text = (said) => ({ type: 'plain_text', text: said });
const button = { type: 'button', action_id: 'approve', text: text('Approve'), value: 'RUN' };
const input = { type: 'plain_text_input', action_id: 'reason' };
const view = {
  type: 'modal', callback_id: 'deny', title: text('Deny'), submit: text('Deny'),
  blocks: [{ type: 'input', block_id: 'why', label: text('Why'), element: input }],
};

app.command('/fletcher', async ({ ack, command, client, respond }) => {
  await ack();
  await client.chat.postMessage({
    channel: command.channel_id, text: `heard ${command.text}`, blocks: [{ type: 'actions', elements: [button] }],
  });
  await respond('only you');
});
app.action('approve', async ({ ack, body, client }) => {
  await ack();
  await client.views.open({ trigger_id: body.trigger_id, view });
});
app.view('deny', async ({ ack, view: given }) => {
  const why = given.state.values.why.reason.value;
  await (why.length < 4 ? ack({ response_action: 'errors', errors: { why: 'too short' } }) : ack());
});
app.event('app_mention', async ({ event, client }) => {
  await client.chat.postMessage({ channel: event.channel, thread_ts: event.thread_ts ?? event.ts, text: 'mentioned' });
});
app.event('app_home_opened', async ({ event, client }) => {
  await client.views.publish({ user_id: event.user, view: { type: 'home', blocks: [{ type: 'header', text: text('Home') }] } });
});
app.message('help', async ({ say }) => {
  await say('hello');
});
app.shortcut('diagnose_message', async ({ ack, shortcut, client }) => {
  await ack();
  await client.chat.postEphemeral({ channel: shortcut.channel.id, user: shortcut.user.id, text: `read ${shortcut.message.text}` });
});

await app.start();
console.log(JSON.stringify({ ready: true }));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
