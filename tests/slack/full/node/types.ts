// What of Slack's published types judges our payloads: a JSON Schema is made of this file, and tests ask for its names.
import type { AppHomeOpenedEvent, AppMentionEvent, GenericMessageEvent, HomeView, KnownBlock, ModalView } from '@slack/types';
import type {
  ChatDeleteArguments, ChatGetPermalinkArguments, ChatPostEphemeralArguments,
  ChatPostMessageArguments, ChatUpdateArguments, ConversationsInfoArguments, ConversationsOpenArguments,
  ConversationsRepliesArguments, FilesCompleteUploadExternalArguments, FilesGetUploadURLExternalArguments, UsersInfoArguments,
  ViewsOpenArguments, ViewsPublishArguments, ViewsUpdateArguments,
} from '@slack/web-api';
import type {
  BlockButtonAction, EnvelopedEvent, MessageShortcut, SlashCommand, ViewResponseAction, ViewSubmitAction,
} from '@slack/bolt';

export interface Asks {
  'chat.postMessage': ChatPostMessageArguments;
  'chat.update': ChatUpdateArguments;
  'chat.postEphemeral': ChatPostEphemeralArguments;
  'chat.delete': ChatDeleteArguments;
  'chat.getPermalink': ChatGetPermalinkArguments;
  'files.completeUploadExternal': FilesCompleteUploadExternalArguments;
  'files.getUploadURLExternal': FilesGetUploadURLExternalArguments;
  'views.open': ViewsOpenArguments;
  'views.publish': ViewsPublishArguments;
  'views.update': ViewsUpdateArguments;
  ack: ViewResponseAction;
  blocks: KnownBlock[];
  modal: ModalView;
  home: HomeView;
}

// These have types of their own that are called as those above are.
export interface Finds {
  'conversations.info': ConversationsInfoArguments;
  'conversations.open': ConversationsOpenArguments;
  'conversations.replies': ConversationsRepliesArguments;
  'users.info': UsersInfoArguments;
}

export interface Says {
  slash: SlashCommand;
  click: BlockButtonAction;
  submit: ViewSubmitAction;
  shortcut: MessageShortcut;
  mention: EnvelopedEvent<AppMentionEvent>;
  dm: EnvelopedEvent<GenericMessageEvent>;
  home: EnvelopedEvent<AppHomeOpenedEvent>;
}
