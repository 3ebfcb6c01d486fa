import { AgentDispatchClient } from 'livekit-server-sdk';

export class Dispatching {
  private readonly client = new AgentDispatchClient('http://host');
  private readonly agentName = 'from-a-field';

  async dispatch(room: string): Promise<void> {
    await this.client.createDispatch(room, this.agentName);
  }

  async any(room: string, name: string): Promise<void> {
    await this.client.createDispatch(room, name);
  }
}
