const { cli } = require('@livekit/agents');

cli.runApp({ agent: __filename, agentName: 'plain' });
