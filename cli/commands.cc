#include "cli/commands.h"

#include <algorithm>
#include <chrono>

#include <boost/json.hpp>

#include "cli/client.h"
#include "cli/message.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/status/macros.h"
#include "verdict/aggregator/v1/aggregator_service.grpc.pb.h"
#include "verdict/feedback/v1/feedback_service.grpc.pb.h"
#include "verdict/feedback/v1/judge_service.grpc.pb.h"
#include "verdict/feedback/v1/prompt_service.grpc.pb.h"
#include "verdict/token/v1/identity_service.grpc.pb.h"
#include "verdict/token/v1/token_service.grpc.pb.h"

namespace verdict::cli {
namespace {

namespace json = boost::json;
using Answer = absl::StatusOr<json::object>;
using Identity = token::v1::IdentityService::Stub;
using Tokens = token::v1::TokenService::Stub;
using Prompts = feedback::v1::PromptService::Stub;
using Judges = feedback::v1::JudgeService::Stub;
using Feedback = feedback::v1::FeedbackService::Stub;
using Aggregator = aggregator::v1::AggregatorService::Stub;

template <typename Request>
Request RequestOf(const Invocation& invocation) {
  Request request;
  Fill(request, invocation, SystemClock().Now());
  return request;
}

// Fills the request of a unary RPC from the options, and calls it.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> CallFor(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                              Response*),
                                 Client& client, const Invocation& invocation) {
  const auto request = RequestOf<Request>(invocation);
  return client.Call(method, request, ProjectOf(request, invocation));
}

// The run function of a command that is one unary RPC.
template <auto kMethod>
Answer Call(Client& client, const Invocation& invocation) {
  ASSIGN_OR_RETURN(const auto response, CallFor(kMethod, client, invocation));
  return ToJson(response);
}

template <typename Stub, typename Request, typename Response>
Answer ListAll(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Client& client,
               const Invocation& invocation) {
  auto request = RequestOf<Request>(invocation);
  request.set_page_size(1000);
  json::object all;
  do {
    ASSIGN_OR_RETURN(const Response response, client.Call(method, request, ProjectOf(request, invocation)));
    request.set_page_token(response.next_page_token());
    json::object page = ToJson(response);
    page.erase("next_page_token");
    const auto& [name, things] = *page.begin();
    json::value& list = all.emplace(name, json::array()).first->value();
    for (json::value& thing : page.begin()->value().get_array()) list.get_array().push_back(std::move(thing));
  } while (!request.page_token().empty());
  return all;
}

// The run function of a command that lists: all pages of a paged RPC.
template <auto kMethod>
Answer List(Client& client, const Invocation& invocation) {
  return ListAll(kMethod, client, invocation);
}

Answer CreateKey(Client& client, const Invocation& invocation) {
  ASSIGN_OR_RETURN(const auto response, CallFor(&Identity::CreateKey, client, invocation));
  json::object answer = {{"id", response.key().id()}, {"key", response.secret()}};
  for (const auto& [name, value] : ToJson(response.key())) answer.emplace(name, value);
  return answer;
}

Answer RevokeToken(Client& client, const Invocation& invocation) {
  if (invocation.Has("all")) return Call<&Tokens::RevokeAllTokens>(client, invocation);
  RETURN_IF_ERROR(CallFor(&Tokens::RevokeToken, client, invocation).status());
  return json::object{{"id", json::string(invocation.Get("TOKEN_ID"))}};
}

Answer CreateJudge(Client& client, const Invocation& invocation) {
  auto request = RequestOf<feedback::v1::CreateJudgeRequest>(invocation);
  if (invocation.Has("criteria")) {
    for (const std::string& key : SplitAtCommas(invocation.Get("criteria")))
      request.add_criteria()->set_key(key);
  }
  ASSIGN_OR_RETURN(const auto response,
                   client.Call(&Judges::CreateJudge, request, ProjectOf(request, invocation)));
  return ToJson(response);
}

// The newest of the project, or all on one entity.
Answer ListFeedback(Client& client, const Invocation& invocation) {
  if (!invocation.Has("type")) return Call<&Aggregator::ListFeedback>(client, invocation);
  const auto request = RequestOf<aggregator::v1::GetEntityFeedbackRequest>(invocation);
  aggregator::v1::GetEntityFeedbackResponse all;
  RETURN_IF_ERROR(client.Read(&Aggregator::GetEntityFeedback, request, ProjectOf(request, invocation),
                              [&](const auto& part) {
                                all.MergeFrom(part);
                                return true;
                              }));
  return ToJson(all);
}

absl::Status ExportFeedback(Client& client, const Invocation& invocation,
                            absl::FunctionRef<bool(const json::object&)> print) {
  const auto request = RequestOf<aggregator::v1::ExportFeedbackRequest>(invocation);
  return client.Read(
      &Aggregator::ExportFeedback, request, ProjectOf(request, invocation), [&](const auto& part) {
        return std::ranges::all_of(part.items(), [&](const auto& item) { return print(ToJson(item)); });
      });
}

Answer DeleteFeedback(Client& client, const Invocation& invocation) {
  RETURN_IF_ERROR(CallFor(&Feedback::DeleteFeedback, client, invocation).status());
  return json::object{{"id", json::string(invocation.Get("ID"))}};
}

constexpr Option kOrg = {.name = "org",
                         .kind = Kind::kUuid,
                         .value = "ID",
                         .help = "The organization; `org list` shows its id.",
                         .field = "org_id",
                         .required = true};
constexpr Option kProject = {.name = "project",
                             .kind = Kind::kUuid,
                             .value = "ID",
                             .help = "The project; `project list` shows its id.",
                             .field = "project_id",
                             .required = true};
constexpr Option kSlug = {.name = "SLUG",
                          .argument = true,
                          .help = "The prompt's name in paths, unique in the project.",
                          .field = "slug",
                          .required = true};

// The entity that a token or feedback is for; `type` and `id` are the request's fields.
constexpr Option EntityTypeOption(std::string_view field) {
  return {.name = "type",
          .kind = Kind::kChoice,
          .value = "TYPE",
          .help = "What kind of thing the feedback is on.",
          .field = field,
          .required = true,
          .choices = types::v1::EntityType_descriptor};
}
constexpr Option EntityIdOption(std::string_view field) {
  return {.name = "id",
          .value = "TEXT",
          .help = "Your id of that thing, 1 to 200 bytes.",
          .field = field,
          .required = true};
}
constexpr Option Optional(Option option) {
  option.required = false;
  return option;
}
// Which feedback.
constexpr Option kKind = {.name = "kind",
                          .kind = Kind::kChoice,
                          .value = "KIND",
                          .help = "Feedback of people or evaluations of judges only.",
                          .field = "kind",
                          .choices = aggregator::v1::FeedbackKind_descriptor};
constexpr Option kOfJudge = {.name = "judge",
                             .kind = Kind::kUuid,
                             .value = "ID",
                             .help = "Evaluations of this judge, and feedback about it, only.",
                             .field = "judge_id"};
constexpr Option kOfUser = {.name = "user",
                            .value = "TEXT",
                            .help = "Feedback of this person only: your id of an end user.",
                            .field = "user_id"};

constexpr std::string_view kTokenService = "token-address";
constexpr std::string_view kFeedbackService = "feedback-address";
constexpr std::string_view kAggregatorService = "aggregator-address";

std::vector<Command> IdentityCommands() {
  return {
      {.name = "org create",
       .summary = "Create an organization.",
       .options = {{.name = "NAME",
                    .argument = true,
                    .help = "Its display name.",
                    .field = "name",
                    .required = true}},
       .service = kTokenService,
       .example = "verdictctl org create Acme",
       .next = "Give it a project: verdictctl project create --org ID NAME",
       .run = Call<&Identity::CreateOrganization>},
      {.name = "org list",
       .summary = "List the organizations.",
       .service = kTokenService,
       .example = "verdictctl org list",
       .run = List<&Identity::ListOrganizations>},
      {.name = "project create",
       .summary = "Create a project: a set of feedback with its own keys.",
       .options = {kOrg,
                   {.name = "NAME",
                    .argument = true,
                    .help = "Its display name, unique in the organization.",
                    .field = "name",
                    .required = true}},
       .service = kTokenService,
       .example = "verdictctl project create --org \"$ORG_ID\" support",
       .next = "Say for whom its keys act: verdictctl user create --org ID --email EMAIL --name NAME",
       .run = Call<&Identity::CreateProject>},
      {.name = "project list",
       .summary = "List an organization's projects.",
       .options = {kOrg},
       .service = kTokenService,
       .example = "verdictctl project list --org \"$ORG_ID\"",
       .run = List<&Identity::ListProjects>},
      {.name = "user create",
       .summary = "Create a user: someone for whom API keys act.",
       .options =
           {kOrg,
            {.name = "email",
             .value = "EMAIL",
             .help = "E-mail address, unique in the organization.",
             .field = "email",
             .required = true},
            {.name = "name", .value = "NAME", .help = "Display name.", .field = "name", .required = true}},
       .service = kTokenService,
       .example = "verdictctl user create --org \"$ORG_ID\" --email alice@example.com --name Alice",
       .next = "Make a key for the user: verdictctl key create --project ID --user ID",
       .run = Call<&Identity::CreateUser>},
      {.name = "user list",
       .summary = "List an organization's users.",
       .options = {kOrg},
       .service = kTokenService,
       .example = "verdictctl user list --org \"$ORG_ID\"",
       .run = List<&Identity::ListUsers>},
      {.name = "key create",
       .summary = "Create an API key. Its text is shown this once.",
       .options = {kProject,
                   {.name = "user",
                    .kind = Kind::kUuid,
                    .value = "ID",
                    .help = "The user that the key acts for; `user list` shows the id.",
                    .field = "user_id",
                    .required = true},
                   {.name = "scopes",
                    .kind = Kind::kChoices,
                    .value = "a,b",
                    .help = "What the key may be used for; token,write,read unless told.",
                    .field = "scopes",
                    .choices = options::v1::Scope_descriptor},
                   {.name = "expires-in",
                    .kind = Kind::kDuration,
                    .value = "30d",
                    .help = "When the key ends; never unless told.",
                    .field = "expires_at"}},
       .service = kTokenService,
       .example = "verdictctl key create --project \"$PROJECT_ID\" --user \"$USER_ID\" --scopes token,write "
                  "--expires-in 30d",
       .next = "Send it as `Authorization: Bearer KEY`. Feedback on completions needs a prompt: verdictctl "
               "prompt create --project ID SLUG",
       .run = CreateKey},
      {.name = "key list",
       .summary = "List a project's API keys, without their texts.",
       .options = {kProject},
       .service = kTokenService,
       .example = "verdictctl key list --project \"$PROJECT_ID\"",
       .run = List<&Identity::ListKeys>},
      {.name = "key revoke",
       .summary = "Revoke an API key: refused everywhere within 5 seconds.",
       .options = {{.name = "ID",
                    .argument = true,
                    .kind = Kind::kUuid,
                    .help = "The key's id; `key list` shows it.",
                    .field = "id",
                    .required = true},
                   {.name = "with-tokens",
                    .kind = Kind::kSwitch,
                    .help = "Revoke all feedback tokens of the key's project too: it may have minted them.",
                    .field = "with_tokens"}},
       .service = kTokenService,
       .example = "verdictctl key revoke --with-tokens \"$KEY_ID\"",
       .run = Call<&Identity::RevokeKey>},
  };
}

std::vector<Command> PromptCommands() {
  return {
      {.name = "prompt create",
       .summary = "Create a prompt: what completions are made of.",
       .options = {kProject, kSlug},
       .service = kFeedbackService,
       .example = "verdictctl prompt create --project \"$PROJECT_ID\" support-bot",
       .next = "Post feedback to /v1/prompts/SLUG/completions/COMPLETION_ID/feedback",
       .run = Call<&Prompts::CreatePrompt>},
      {.name = "prompt ensure",
       .summary = "Make sure that a prompt has a version of this text, and show it.",
       .options = {kProject,
                   kSlug,
                   {.name = "content",
                    .kind = Kind::kFile,
                    .value = "FILE",
                    .help = "A file that holds the text, at most 128 KiB; `-` is standard input.",
                    .field = "content",
                    .required = true},
                   {.name = "model",
                    .value = "NAME",
                    .help = "The model that it is for; the same text for another model is another version.",
                    .field = "model_id"}},
       .service = kFeedbackService,
       .example = "verdictctl prompt ensure --project \"$PROJECT_ID\" support-bot --content prompt.txt",
       .next = "Tag it: verdictctl prompt tag --project ID SLUG TAG --version N",
       .run = Call<&Prompts::EnsurePromptVersion>},
      {.name = "prompt get",
       .summary = "Show a version of a prompt.",
       .options = {kProject,
                   kSlug,
                   {.name = "version",
                    .kind = Kind::kCount,
                    .value = "1",
                    .help = "Its number; the latest unless told.",
                    .field = "version"},
                   {.name = "tag",
                    .value = "TAG",
                    .help = "The version with this tag, unless --version is given.",
                    .field = "tag"}},
       .service = kFeedbackService,
       .example = "verdictctl prompt get --project \"$PROJECT_ID\" support-bot --tag production",
       .run = Call<&Prompts::GetPrompt>},
      {.name = "prompt list",
       .summary = "List a project's prompts.",
       .options = {kProject},
       .service = kFeedbackService,
       .example = "verdictctl prompt list --project \"$PROJECT_ID\"",
       .run = List<&Prompts::ListPrompts>},
      {.name = "prompt versions",
       .summary = "List the latest 1,000 versions of a prompt.",
       .options = {kProject, kSlug},
       .service = kFeedbackService,
       .example = "verdictctl prompt versions --project \"$PROJECT_ID\" support-bot",
       .run = Call<&Prompts::ListPromptVersions>},
      {.name = "prompt tag",
       .summary = "Put a tag on a version of a prompt; it moves from where it was.",
       .options = {kProject,
                   kSlug,
                   {.name = "TAG",
                    .argument = true,
                    .help = "1 to 100 of a-z, 0-9 and -, such as production.",
                    .field = "tag",
                    .required = true},
                   {.name = "version",
                    .kind = Kind::kCount,
                    .value = "1",
                    .help = "The version's number; `prompt versions` shows it.",
                    .field = "version",
                    .required = true}},
       .service = kFeedbackService,
       .example = "verdictctl prompt tag --project \"$PROJECT_ID\" support-bot production --version 1",
       .run = Call<&Prompts::PinPromptTag>},
  };
}

std::vector<Command> TokenCommands() {
  return {
      {.name = "token mint",
       .summary = "Mint a single-use feedback token.",
       .options = {kProject,
                   EntityTypeOption("resource_type"),
                   EntityIdOption("resource_id"),
                   {.name = "expires-in",
                    .kind = Kind::kDuration,
                    .value = "1h",
                    .help = "How long it can be redeemed, at most 24h; 1h unless told.",
                    .field = "expires_in_seconds"},
                   {.name = "subject-id",
                    .value = "TEXT",
                    .help = "Your id of the end user that the feedback will belong to; none: anonymous.",
                    .field = "subject.id"},
                   {.name = "subject-email",
                    .value = "EMAIL",
                    .help = "The end user's e-mail address; readable in the token.",
                    .field = "subject.email"},
                   {.name = "subject-name",
                    .value = "NAME",
                    .help = "The end user's name; readable in the token.",
                    .field = "subject.name"}},
       .service = kTokenService,
       .example =
           "verdictctl token mint --project \"$PROJECT_ID\" --type eval_run --id run-42 --expires-in 2h",
       .next = "The browser redeems it: POST /api/v1/feedback with `Authorization: Bearer TOKEN`",
       .run = Call<&Tokens::MintToken>},
      {.name = "token verify",
       .summary = "Show what a token is for, without consuming it.",
       .options = {kProject,
                   {.name = "TOKEN",
                    .argument = true,
                    .help = "The token's text.",
                    .field = "token",
                    .required = true}},
       .service = kTokenService,
       .example = "verdictctl token verify --project \"$PROJECT_ID\" \"$TOKEN\"",
       .run = Call<&Tokens::VerifyToken>},
      {.name = "token revoke",
       .summary = "Revoke a token, or all tokens of a project, at once.",
       .options = {kProject,
                   {.name = "TOKEN_ID",
                    .argument = true,
                    .kind = Kind::kUuid,
                    .help = "The token's id, as `token mint` printed it.",
                    .field = "id",
                    .instead = "all"},
                   {.name = "all",
                    .kind = Kind::kSwitch,
                    .help = "Revoke every token of the project that was minted until now."}},
       .service = kTokenService,
       .example = "verdictctl token revoke --project \"$PROJECT_ID\" --all",
       .run = RevokeToken},
  };
}

std::vector<Command> JudgeCommands() {
  return {
      {.name = "judge create",
       .summary = "Create a judge: who evaluates outputs, and how.",
       .options = {kProject,
                   {.name = "name",
                    .value = "NAME",
                    .help = "Its display name, unique in the project.",
                    .field = "name",
                    .required = true},
                   {.name = "type",
                    .kind = Kind::kChoice,
                    .value = "TYPE",
                    .help = "Whether it says passed or not, or gives a score.",
                    .field = "evaluation_type",
                    .required = true,
                    .choices = types::v1::EvaluationType_descriptor},
                   {.name = "min",
                    .kind = Kind::kNumber,
                    .value = "0",
                    .help = "A scored judge's lowest score; 0 unless told.",
                    .field = "score_min"},
                   {.name = "max",
                    .kind = Kind::kNumber,
                    .value = "10",
                    .help = "A scored judge's highest score; 10 unless told.",
                    .field = "score_max"},
                   {.name = "threshold",
                    .kind = Kind::kNumber,
                    .value = "7",
                    .help = "The score from which an output passes; seven tenths of the range unless told.",
                    .field = "pass_threshold"},
                   {.name = "criteria", .value = "k1,k2", .help = "What it looks at, one word each."}},
       .service = kFeedbackService,
       .example =
           "verdictctl judge create --project \"$PROJECT_ID\" --name Helpfulness --type scored --criteria "
           "clarity,accuracy",
       .next = "Record what it says: POST /projects/PROJECT_ID/judges/JUDGE_ID/evaluations",
       .run = CreateJudge},
      {.name = "judge get",
       .summary = "Show a judge.",
       .options = {kProject,
                   {.name = "ID",
                    .argument = true,
                    .kind = Kind::kUuid,
                    .help = "The judge's id; `judge list` shows it.",
                    .field = "automation_id",
                    .required = true}},
       .service = kFeedbackService,
       .example = "verdictctl judge get --project \"$PROJECT_ID\" \"$JUDGE_ID\"",
       .run = Call<&Judges::GetJudge>},
      {.name = "judge list",
       .summary = "List a project's judges.",
       .options = {kProject},
       .service = kFeedbackService,
       .example = "verdictctl judge list --project \"$PROJECT_ID\"",
       .run = List<&Judges::ListJudges>},
  };
}

std::vector<Command> FeedbackCommands() {
  Option type = Optional(EntityTypeOption("entity_type"));
  type.help = "All feedback on this kind of thing, with --id; without it, the project's newest.";
  type.with = "id";
  Option id = Optional(EntityIdOption("entity_id"));
  id.with = "type";
  return {
      {.name = "feedback list",
       .summary = "List the newest feedback of a project, or all on an entity.",
       .options = {kProject,
                   type,
                   id,
                   kKind,
                   kOfJudge,
                   kOfUser,
                   {.name = "limit",
                    .kind = Kind::kCount,
                    .value = "100",
                    .help = "At most this many, up to 1000; of a project 100 unless told.",
                    .field = "limit"}},
       .service = kAggregatorService,
       .example = "verdictctl feedback list --project \"$PROJECT_ID\" --type span --id completion-7",
       .run = ListFeedback},
      {.name = "feedback export",
       .summary = "Print all feedback of a project, newest first, one JSON object a line.",
       .options = {kProject, kKind, kOfJudge, kOfUser},
       .service = kAggregatorService,
       .example = "verdictctl feedback export --project \"$PROJECT_ID\" --timeout 60s > feedback.ndjson",
       .stream = ExportFeedback},
      {.name = "feedback delete",
       .summary = "Delete feedback or an evaluation, with all its revisions.",
       .options = {kProject,
                   {.name = "ID",
                    .argument = true,
                    .kind = Kind::kUuid,
                    .help = "The record's id; `feedback list` shows it.",
                    .field = "feedback_id",
                    .required = true}},
       .service = kFeedbackService,
       .example = "verdictctl feedback delete --project \"$PROJECT_ID\" \"$FEEDBACK_ID\"",
       .run = DeleteFeedback},
      {.name = "user erase",
       .summary = "Erase all feedback of an end user from a project.",
       .options = {kProject,
                   {.name = "USER_ID",
                    .argument = true,
                    .help = "Your id of the end user, as created_by.id has it.",
                    .field = "user_id",
                    .required = true}},
       .service = kFeedbackService,
       .example = "verdictctl user erase --project \"$PROJECT_ID\" user-123",
       .run = Call<&Feedback::EraseUser>},
  };
}

}  // namespace

std::vector<Command> Commands() {
  std::vector<Command> commands;
  for (auto& part :
       {IdentityCommands(), PromptCommands(), JudgeCommands(), TokenCommands(), FeedbackCommands()}) {
    commands.insert(commands.end(), part.begin(), part.end());
  }
  return commands;
}

}  // namespace verdict::cli
