import { RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

const names = ['first', 'second'];
export const config = new RoomConfiguration({ agents: names.map((agentName) => new RoomAgentDispatch({ agentName })) });
