import { RoomAgentDispatch, RoomConfiguration, SipClient } from 'livekit-server-sdk';

const sip = new SipClient('http://host');
await sip.createSipDispatchRule(
  { type: 'individual', roomPrefix: 'call-' },
  {
    name: 'inbound',
    roomConfig: new RoomConfiguration({ agents: [new RoomAgentDispatch({ agentName: 'phone-agent' })] }),
  },
);
