cli.runApp(new ServerOptions({
  agent: import.meta.filename,
  agentName: 'from-my-notes',  // ← disables auto-dispatch
  initializeProcessTimeout: 60_000,
}));
