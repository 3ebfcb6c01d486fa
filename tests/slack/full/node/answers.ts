// What Slack's published types say of its answers; they judge those of our gateway and of the emulator.
import type {
  AppsConnectionsOpenResponse, AuthTestResponse, ChatDeleteResponse, ChatGetPermalinkResponse, ChatPostEphemeralResponse,
  ChatPostMessageResponse, ChatUpdateResponse, ConversationsInfoResponse, ConversationsOpenResponse,
  ConversationsRepliesResponse, FilesCompleteUploadExternalResponse, FilesGetUploadURLExternalResponse, UsersInfoResponse,
  ViewsOpenResponse, ViewsPublishResponse, ViewsUpdateResponse,
} from '@slack/web-api';

export interface Answers {
  'apps.connections.open': AppsConnectionsOpenResponse;
  'auth.test': AuthTestResponse;
  'chat.postMessage': ChatPostMessageResponse;
  'chat.update': ChatUpdateResponse;
  'chat.postEphemeral': ChatPostEphemeralResponse;
  'chat.delete': ChatDeleteResponse;
  'chat.getPermalink': ChatGetPermalinkResponse;
  'conversations.info': ConversationsInfoResponse;
  'conversations.open': ConversationsOpenResponse;
  'conversations.replies': ConversationsRepliesResponse;
  'files.completeUploadExternal': FilesCompleteUploadExternalResponse;
  'files.getUploadURLExternal': FilesGetUploadURLExternalResponse;
  'users.info': UsersInfoResponse;
  'views.open': ViewsOpenResponse;
  'views.publish': ViewsPublishResponse;
  'views.update': ViewsUpdateResponse;
}
