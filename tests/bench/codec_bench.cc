#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/arena.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include "gateway/json_reader.h"
#include "gateway/json_writer.h"
#include "gateway/route_table.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"
#include "verdict/feedback/v1/feedback_service.pb.h"

// The gateway's codec beside protobuf's own JSON, on the same data and alternately. Prints one JSON object a
// line, with nanoseconds an operation. Fails when the two do not do the same.
namespace verdict::gateway {
namespace {

using aggregator::v1::FeedbackItem;
using aggregator::v1::GetEntityFeedbackResponse;
using feedback::v1::SubmitCompletionFeedbackRequest;
using google::protobuf::Arena;
using google::protobuf::Message;

constexpr std::size_t kRounds = 7;
constexpr std::chrono::milliseconds kRoundTime(300);
constexpr int kItems = 100;

constexpr std::string_view kSlug = "support-bot";
constexpr std::string_view kSpan = "550e8400-e29b-41d4-a716-446655440000";
constexpr std::string_view kReason =
    "The answer names the right article, but leaves out the two steps that the customer had asked about.";
// An object, and as protobuf's JSON has it: its text.
constexpr std::string_view kMetadata = R"({"channel":"web","release":"2026.11.3","attempt":2})";
constexpr std::string_view kMetadataText =
    R"("{\"channel\":\"web\",\"release\":\"2026.11.3\",\"attempt\":2}")";

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "codec_bench: does not hold: %s\n", what);
  std::exit(EXIT_FAILURE);
}

bool AreEqual(const Message& a, const Message& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

// Nanoseconds that one operation takes, measured for some time.
template <typename Operation>
double Measure(Operation operation) {
  using Clock = std::chrono::steady_clock;
  constexpr int kBetweenLooks = 50;
  const auto start = Clock::now();
  double operations = 0;
  std::chrono::duration<double, std::nano> taken{};
  while (taken < kRoundTime) {
    for (int i = 0; i < kBetweenLooks; ++i) operation();
    operations += kBetweenLooks;
    taken = Clock::now() - start;
  }
  return taken.count() / operations;
}

double MedianOf(std::array<double, kRounds> values) {
  std::ranges::sort(values);
  return values[kRounds / 2];
}

template <typename Ours, typename Baseline>
void Compare(const char* name, Ours ours, Baseline baseline) {
  std::array<double, kRounds> of_ours{};
  std::array<double, kRounds> of_baseline{};
  std::string rounds;
  for (std::size_t round = 0; round < kRounds; ++round) {
    of_ours[round] = Measure(ours);
    of_baseline[round] = Measure(baseline);
    rounds += (round == 0 ? "[" : ",[") + std::to_string(of_ours[round]) + "," +
              std::to_string(of_baseline[round]) + "]";
  }
  std::printf(R"({"name":"%s","ours":%.1f,"baseline":%.1f,"rounds":[%s]})"
              "\n",
              name, MedianOf(of_ours), MedianOf(of_baseline), rounds.c_str());
  std::fflush(stdout);
}

std::string FeedbackBody(std::string_view metadata) {
  std::string body = R"({"thumbs_up": false, "reason": ")";
  body.append(kReason).append(
      R"(", "expected_output": "Open Settings, choose \"Billing\", then Invoices.", )");
  body.append(R"("metadata": )").append(metadata);
  return body + R"(, "created_by": {"id": "user-123", "email": "alice@example.com", "name": "Alice"}})";
}

void CompareParsing(const RouteTable& routes) {
  const std::string path =
      "/v1/prompts/" + std::string(kSlug) + "/completions/" + std::string(kSpan) + "/feedback";
  const Match match = routes.Find("POST", path);
  Check(match.status.ok(), "the route is known");
  const std::string our_body = FeedbackBody(kMetadata);
  const std::string baseline_body = FeedbackBody(kMetadataText);

  const auto ours = [&](Message& request) { return ReadRequest(match, "", our_body, request).ok(); };
  const auto baseline = [&](Message& message) {
    auto& request = static_cast<SubmitCompletionFeedbackRequest&>(message);
    const bool parsed = google::protobuf::util::JsonStringToMessage(baseline_body, &request).ok();
    request.set_prompt_slug(kSlug.data(), kSlug.size());
    request.set_completion_id(kSpan.data(), kSpan.size());
    return parsed;
  };
  SubmitCompletionFeedbackRequest by_us;
  SubmitCompletionFeedbackRequest by_baseline;
  Check(ours(by_us) && baseline(by_baseline) && AreEqual(by_us, by_baseline),
        "both parse the body, and alike");

  const auto on_arena = [&match](const auto& parse) {
    return [&match, parse] {
      Arena arena;
      Check(parse(*match.route->request->New(&arena)), "the body is parsed");
    };
  };
  Compare("codec_parse", on_arena(ours), on_arena(baseline));
}

void AddItem(int i, GetEntityFeedbackResponse& response) {
  FeedbackItem& item = *response.add_items();
  item.set_id("01941c4e-96a6-7000-8000-" + std::to_string(100'000'000'000 + i));
  item.set_span_id(std::string(kSpan));
  item.set_trace_id("4bf92f3577b34da6a3ce929d0e0e4736");
  item.mutable_created_at()->set_seconds(1'795'000'000 + i);
  item.mutable_created_at()->set_nanos(746'000'000);
  item.mutable_updated_at()->set_seconds(1'795'000'100 + i);
  item.mutable_updated_at()->set_nanos(12'000'000);
  if (i % 3 == 0) {
    item.set_kind(aggregator::v1::FEEDBACK_KIND_JUDGE_EVALUATION);
    item.set_automation_id("01941c4e-96a6-7000-8000-6f1d2a5c0001");
    item.set_judge_name("Helpfulness");
    item.set_evaluation_result(true);
    item.set_evaluation_reason(std::string(kReason));
    item.set_confidence_score(0.875);
    item.set_score(7.5);
    item.set_evaluation_type(types::v1::EVALUATION_TYPE_SCORED);
    item.set_score_min(0);
    item.set_score_max(10);
    item.set_pass_threshold(6);
    return;
  }
  item.set_kind(aggregator::v1::FEEDBACK_KIND_HUMAN_FEEDBACK);
  item.set_thumbs_up(i % 2 == 0);
  item.set_reason(std::string(kReason));
  item.set_expected_output("Open Settings, choose \"Billing\", then Invoices.");
  item.set_metadata(std::string(kMetadata));
  item.mutable_created_by()->set_id("user-" + std::to_string(i));
  item.set_source_type(aggregator::v1::SOURCE_TYPE_HUMAN);
  item.set_via(aggregator::v1::VIA_API);
}

void ComparePrinting(const RouteTable& routes) {
  const Match match = routes.Find("GET", "/projects/01941c4e-96a6-7000-8000-6f1d2a5c0001/feedback/span/x");
  Check(match.status.ok(), "the route is known");
  GetEntityFeedbackResponse response;
  response.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
  response.set_entity_id(std::string(kSpan));
  auto& summary = *response.mutable_summary();
  summary.set_total(kItems);
  summary.set_human_feedback_count(66);
  summary.set_judge_evaluation_count(34);
  summary.set_thumbs_up_count(33);
  summary.set_thumbs_down_count(33);
  for (int i = 0; i < kItems; ++i) AddItem(i, response);

  const std::string bytes = response.SerializeAsString();  // as they come from the service
  const auto ours = [&] {
    std::string json;
    ResponseStream stream(*match.route);
    Check(stream.Append(bytes, json), "the message is printed");
    stream.Finish(json);
    return json;
  };
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const auto baseline = [&] {
    std::string json;
    Check(google::protobuf::util::MessageToJsonString(response, &json, options).ok(),
          "the message is printed");
    return json;
  };
  GetEntityFeedbackResponse by_us;
  GetEntityFeedbackResponse by_baseline;
  Check(ReadJson(*match.route->response_plan, ours(), by_us).ok() && AreEqual(by_us, response),
        "what we print says what the message does");
  Check(google::protobuf::util::JsonStringToMessage(baseline(), &by_baseline).ok() &&
            AreEqual(by_baseline, response),
        "so does what protobuf prints");
  Compare("codec_print", ours, baseline);
}

void Main() {
  const std::array services = {SubmitCompletionFeedbackRequest::descriptor()->file()->service(0),
                               GetEntityFeedbackResponse::descriptor()->file()->service(0)};
  const auto routes = RouteTable::Build(services);
  Check(routes.ok(), "the contracts can be served");
  CompareParsing(*routes);
  ComparePrinting(*routes);
}

}  // namespace
}  // namespace verdict::gateway

int main() { verdict::gateway::Main(); }
