#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/await.h"
#include "tests/support/sanitized.h"
#include "tests/support/stack.h"
#include "tests/support/usage.h"

namespace verdict::test {
namespace {

namespace json = boost::json;

json::value Json(const HttpResponse& response) {
  INFO(response.status << " " << response.body);
  REQUIRE_FALSE(response.body.empty());
  return json::parse(response.body);
}

std::string Text(const json::value& value, std::string_view member) {
  return std::string(value.at({member.data(), member.size()}).as_string());
}

HttpRequest Get(const Tenant& tenant, const std::string& target) {
  return {.target = target, .headers = {{"Authorization", "Bearer " + tenant.key}}};
}

HttpRequest Post(const Tenant& tenant, const std::string& target, const std::string& body) {
  return {.method = "POST",
          .target = target,
          .headers = {{"Authorization", "Bearer " + tenant.key}, {"Content-Type", "application/json"}},
          .body = body};
}

std::string Project(const Tenant& tenant) { return "/projects/" + tenant.project_id; }

// `count` people's feedback and as many evaluations on one trace, in a session, as the writers would have
// stored.
void FillTrace(const Stack& stack, const Tenant& tenant, int count) {
  const std::string numbers = absl::StrCat(" from generate_series(1, ", count, ") as n");
  const std::string place = "'4bf92f35-77b3-4da6-a3ce-929d0e0e4736', 'd5b82663-4051-5a4c-9808-616c909bbbc5'";
  const std::string time = "timestamptz '2026-01-01' + n * interval '1 ms'";
  stack.database().Query(
      "insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id, "
      "thumbs_up, "
      "reason, via, submitted_by, created_at, updated_at, trace_id, session_id) select '" +
      tenant.project_id +
      "', gen_random_uuid(), 1, gen_random_uuid(), 'span-' || n, 1, 'user-' || n, n % 3 > 0, "
      "'a reason of ordinary length, as people write them', 1, gen_random_uuid(), " +
      time + ", " + time + ", " + place + numbers);
  stack.database().Query("insert into prompt values ('" + tenant.project_id +
                         "', gen_random_uuid(), 'of-the-judge', now()); "
                         "insert into judge (project_id, id, name, evaluation_type, task_id, created_at, "
                         "modified_at) select project_id, "
                         "'00000000-0000-7000-8000-0000000000aa', 'Judge', 1, id, now(), now() from prompt "
                         "where slug = 'of-the-judge'");
  stack.database().Query(
      "insert into evaluation (project_id, id, judge_id, span_id, span_text, evaluation_type, "
      "evaluation_result, "
      "submitted_by, created_at, updated_at, trace_id, session_id) select '" +
      tenant.project_id +
      "', gen_random_uuid(), '00000000-0000-7000-8000-0000000000aa', gen_random_uuid(), 'span-' || n, "
      "1, n % 2 = 0, gen_random_uuid(), " +
      time + ", " + time + ", " + place + numbers);
  stack.database().Query("analyze feedback, evaluation, judge");
}

// A client that reads as slowly as it likes.
class SlowReader {
 public:
  SlowReader(int port, const HttpRequest& request) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int small = 64 << 10;
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    REQUIRE(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    std::string text =
        absl::StrCat(request.method, " ", request.target, " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
    for (const auto& [name, value] : request.headers) absl::StrAppend(&text, name, ": ", value, "\r\n");
    text += "\r\n";
    REQUIRE(send(socket_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  ~SlowReader() { close(socket_); }

  // At most `bytes`; empty at the end.
  std::string Read(size_t bytes) {
    std::string text(bytes, '\0');
    const ssize_t n = recv(socket_, text.data(), text.size(), 0);
    text.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return text;
  }

 private:
  int socket_ = -1;
};

TEST_CASE("200,000 items stream in bounded memory, and begin before the last row is read") {
  Stack stack;
  const Tenant& tenant = stack.tenant();
  FillTrace(stack, tenant, 100'000);
  const std::string trace = Project(tenant) + "/feedback/trace/4bf92f3577b34da6a3ce929d0e0e4736";
  stack.Send(Get(tenant, trace + "?limit=1"));  // what is made once is made
  std::map<std::string, std::int64_t> before;
  for (const char* name : {"aggregator", "gateway"}) {
    ResetPeak(stack.process(name).pid());
    before[name] = PeakBytes(stack.process(name).pid());
  }

  SlowReader reader(stack.port(), Get(tenant, trace));
  std::string text;
  const std::string first = reader.Read(1024);
  CHECK(absl::StartsWith(first, "HTTP/1.1 200 "));
  // The reader does not read on, so the rows cannot all have been read: their transaction stays open, for
  // longer than any other transaction may be idle.
  Await("a stream that waits for its reader", [&] {
    return stack.database().Query(
               "select count(*) from pg_stat_activity where datname = current_database()"
               " and application_name = 'verdict-aggregator' and state = 'idle in transaction'"
               " and state_change < now() - interval '6 seconds'") == "1";
  });
  // Quick reads go on meanwhile.
  CHECK(stack.Send(Get(tenant, trace + "?limit=10")).status == 200);

  static constexpr std::string_view kItem = "\"kind\":";
  size_t items = 0;
  for (std::string part = first; !part.empty(); part = reader.Read(1 << 20)) {
    // An item's first member may lie across two parts.
    text = text.substr(text.size() - std::min(text.size(), kItem.size() - 1)) + part;
    for (size_t at = text.find(kItem); at != std::string::npos; at = text.find(kItem, at + 1)) ++items;
  }
  CHECK(items == 200'000);
  CHECK(absl::EndsWith(text, "]}\r\n0\r\n\r\n"));
  for (const auto& [name, bytes] : before) {
    const std::int64_t growth = PeakBytes(stack.process(name).pid()) - bytes;
    INFO(name << " grew by " << growth);
    CHECK((kSanitized || growth < 32 << 20));
  }
}

TEST_CASE("an export is a JSON object a line, the newest first") {
  Stack stack;
  const Tenant& tenant = stack.tenant();
  HttpRequest request = Get(tenant, Project(tenant) + "/feedback");
  request.headers.emplace_back("Accept", "application/x-ndjson");

  const HttpResponse nothing = stack.Send(request);
  CHECK(nothing.status == 200);
  CHECK(nothing.headers.at("content-type") == "application/x-ndjson");
  CHECK(nothing.body.empty());

  FillTrace(stack, tenant, 1'500);
  const HttpResponse all = stack.Send(request);
  REQUIRE(all.status == 200);
  std::set<std::string> ids;
  std::string last = "9999";
  bool ordered = true;
  std::istringstream lines(all.body);
  for (std::string line; std::getline(lines, line);) {
    const json::value item = json::parse(line);
    ids.insert(Text(item, "id"));
    ordered = ordered && Text(item, "created_at") <= last;
    last = Text(item, "created_at");
    REQUIRE(Text(item, "entity_type") == "span");
  }
  CHECK(ids.size() == 3'000);
  CHECK(ordered);

  request.target += "?kind=judge_evaluation&limit=5";
  CHECK(stack.Send(request).status == 400);  // an export has no pages
}

TEST_CASE("what has not changed is not sent again") {
  Stack stack;
  const Tenant& tenant = stack.tenant();
  const std::string vote = "/v1/prompts/support-bot/completions/c-1/feedback";
  REQUIRE(stack.Send(Post(tenant, vote, R"({"thumbs_up":true})")).status == 200);
  HttpRequest read = Get(tenant, Project(tenant) + "/feedback/span/c-1");
  const HttpResponse first = stack.Send(read);
  REQUIRE(first.headers.contains("etag"));

  read.headers.emplace_back("If-None-Match", first.headers.at("etag"));
  const HttpResponse unchanged = stack.Send(read);
  CHECK(unchanged.status == 304);
  CHECK(unchanged.body.empty());
  CHECK(unchanged.headers.at("etag") == first.headers.at("etag"));

  // One more and one less is another state, though there are as many.
  REQUIRE(stack.Send(Post(tenant, vote, R"({"thumbs_up":true,"created_by":{"id":"u"}})")).status == 200);
  HttpRequest withdrawal = Get(tenant, vote);
  withdrawal.method = "DELETE";
  REQUIRE(stack.Send(withdrawal).status == 204);
  const HttpResponse changed = stack.Send(read);
  CHECK(changed.status == 200);
  CHECK(Json(changed).at("summary").at("total") == 1);
  CHECK(changed.headers.at("etag") != first.headers.at("etag"));
}

}  // namespace
}  // namespace verdict::test
