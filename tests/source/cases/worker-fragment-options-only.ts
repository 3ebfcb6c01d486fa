new ServerOptions({
  agent: import.meta.filename,
  agentName: 'options-only',
});
