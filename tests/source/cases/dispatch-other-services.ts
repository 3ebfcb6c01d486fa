import { DepotService } from './depot';
import { Server } from 'game-server';

class Lorries {
  createDispatch(depot: string, driver: string): void {}
}

const depot = new DepotService();
const lorries = new Lorries();
depot.createDispatch('depot-1', 'driver-7');
lorries.createDispatch('depot-1', 'driver-8');
new Server().createRoom({ name: 'lobby', agents: [{ agentName: 'npc' }] });
const AccessToken = require('twilio').jwt.AccessToken;
const token = new AccessToken('sid', 'key', 'secret');
