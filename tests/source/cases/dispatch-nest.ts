import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

export class LivekitService {
  constructor(private readonly configService: ConfigService) {}

  async createToken(room: string) {
    const at = new AccessToken(this.configService.get('LIVEKIT_API_KEY'), this.configService.get('LIVEKIT_API_SECRET'));
    at.addGrant({ roomJoin: true, room });
    const agentName = this.configService.get<string>('VOICE_AGENT', 'nest-default');
    at.roomConfig = new RoomConfiguration({ agents: [new RoomAgentDispatch({ agentName })] });
    return at.toJwt();
  }
}
