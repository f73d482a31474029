#include "common/token/key_ring.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <utility>

#include <boost/json.hpp>
#include <fcntl.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/time/time.h"
#include "common/crypto/crypto.h"
#include "common/log/log.h"
#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::token {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kKeyIdBytesMax = 8;
constexpr off_t kFileBytesMax = 64 * 1024;
constexpr std::chrono::milliseconds kPollInterval = std::chrono::seconds(10);

// The purposes of the derived keys. Changing one voids what was made with it.
constexpr std::string_view kMacInfo = "fbt1 mac";
constexpr std::string_view kIdempotencyInfo = "fbt1 idempotent id";

absl::Status Refuse(const std::filesystem::path& file, const std::string& why) {
  return InternalError("key set: " + file.string() + " " + why);
}

bool IsKeyId(std::string_view text) {
  return !text.empty() && text.size() <= kKeyIdBytesMax &&
         std::ranges::all_of(text, [](char c) { return ('a' <= c && c <= 'z') || ('0' <= c && c <= '9'); });
}

// A file's bytes. Refuses what is no regular file (a pipe would keep us waiting), is larger than any file of
// a key set, or gives everybody one of the permissions `refused`.
absl::StatusOr<crypto::SecretBytes> ReadFile(const std::filesystem::path& file, mode_t refused = 0) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Refuse(file, std::string("cannot be opened: ") + std::strerror(errno));
  const absl::Cleanup close_file = [fd] { close(fd); };
  struct stat info = {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return Refuse(file, "is not a file");
  if ((info.st_mode & refused) != 0) {
    return Refuse(file, "can be read or written by everybody; set its mode to 0440 or 0400");
  }
  if (info.st_size > kFileBytesMax) return Refuse(file, "is larger than 64 KiB");
  crypto::SecretBytes bytes(static_cast<size_t>(info.st_size));
  if (read(fd, bytes.writable().data(), bytes.writable().size()) != info.st_size) {
    return Refuse(file, "cannot be read, or changed meanwhile");
  }
  return bytes;
}

absl::StatusOr<crypto::SecretBytes> ReadKey(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(crypto::SecretBytes key, ReadFile(file, S_IROTH | S_IWOTH));
  const size_t size = key.bytes().size();
  if (size != kKeyBytes) {
    return Refuse(file, "has " + std::to_string(size) + " bytes; a key has exactly 32");
  }
  return key;
}

absl::StatusOr<boost::json::object> ReadJsonObject(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(const crypto::SecretBytes bytes, ReadFile(file));
  const std::string_view text = crypto::AsText(bytes.bytes());
  boost::json::error_code error;
  boost::json::value value = boost::json::parse(text, error);
  if (error || !value.is_object()) return Refuse(file, "is not a JSON object");
  // Of members with one name Boost keeps the last, and an operator would lose a key without a word. Protobuf
  // alone is no choice: it takes much that is no JSON.
  google::protobuf::Struct unique;
  if (!google::protobuf::util::JsonStringToMessage({text.data(), text.size()}, &unique).ok()) {
    return Refuse(file, "names a member twice");
  }
  return std::move(value.as_object());
}

// One entry of "keys", without the key's bytes.
struct Entry {
  bool active = false;
  std::optional<Time> not_after = {};
};

absl::StatusOr<Entry> ParseEntry(const std::filesystem::path& file, const std::string& kid,
                                 const boost::json::value& value) {
  const auto refuse = [&](const std::string& why) { return Refuse(file, "key " + kid + ": " + why); };
  if (!value.is_object()) return refuse("is not an object");
  Entry entry;
  std::string_view state;
  for (const auto& member : value.as_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    const boost::json::string* text = member.value().if_string();
    if (text == nullptr) return refuse("its members are texts");
    if (name == "state") {
      state = {text->data(), text->size()};
    } else if (name == "not_after") {
      absl::Time time;
      std::string error;
      if (!absl::ParseTime(absl::RFC3339_full, {text->data(), text->size()}, &time, &error)) {
        return refuse("not_after is not an RFC 3339 time");
      }
      entry.not_after = Time(std::chrono::milliseconds(absl::ToUnixMillis(time)));
    } else {
      return refuse("has an unknown member");
    }
  }
  if (state != "active" && state != "verify" && state != "next")
    return refuse("state is active, verify or next");
  if (entry.not_after && state != "verify") return refuse("not_after is for the state verify");
  entry.active = state == "active";
  return entry;
}

std::string Describe(const KeySet& set) {
  std::string text;
  for (const auto& [kid, key] : set.keys) text += (text.empty() ? "" : " ") + kid;
  return text;
}

}  // namespace

absl::StatusOr<KeySet> KeySet::Load(const std::filesystem::path& directory) {
  // A secret that Kubernetes mounts is the target of `..data`: reading all files through one resolved link
  // never mixes an old set with a new one.
  std::error_code no_link;
  const std::filesystem::path target = std::filesystem::canonical(directory / "..data", no_link);
  const std::filesystem::path& folder = no_link ? directory : target;
  const std::filesystem::path file = folder / "keyset.json";
  ASSIGN_OR_RETURN(const boost::json::object document, ReadJsonObject(file));
  const boost::json::value* primary = document.if_contains("primary");
  const boost::json::value* entries = document.if_contains("keys");
  if (document.size() != 2 || primary == nullptr || entries == nullptr || !primary->is_string() ||
      !entries->is_object()) {
    return Refuse(file, "must have exactly `primary`, a text, and `keys`, an object");
  }

  KeySet set;
  set.primary.assign(primary->as_string().data(), primary->as_string().size());
  bool primary_active = false;
  for (const auto& member : entries->as_object()) {
    const std::string kid(member.key().data(), member.key().size());
    // Before the id names a file.
    if (!IsKeyId(kid)) return Refuse(file, "has a key id that is not 1 to 8 of a-z and 0-9");
    ASSIGN_OR_RETURN(const Entry entry, ParseEntry(file, kid, member.value()));
    ASSIGN_OR_RETURN(const crypto::SecretBytes root, ReadKey(folder / kid));
    primary_active |= entry.active && kid == set.primary;
    set.keys.emplace(kid, Key{.mac = crypto::HkdfSha256(root, kMacInfo),
                              .idempotency = crypto::HkdfSha256(root, kIdempotencyInfo),
                              .not_after = entry.not_after});
  }
  if (!primary_active) return Refuse(file, "names a primary that is not one of its active keys");
  return set;
}

const Key* KeySet::Find(std::string_view kid, Time now) const {
  const auto found = keys.find(kid);
  if (found == keys.end()) return nullptr;
  const Key& key = found->second;
  return key.not_after && now >= *key.not_after ? nullptr : &key;
}

KeyRing::KeyRing(std::filesystem::path directory, metrics::Registry& registry)
    : directory_(std::move(directory)),
      registry_(registry),
      reload_failures_(
          registry.Counter("verdict_keyset_reload_failures_total",
                           "Readings of the key set directory that failed; the old set stays in use.", {})),
      inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

KeyRing::~KeyRing() {
  watcher_ = {};
  close(wake_);
  if (inotify_ >= 0) close(inotify_);
}

absl::StatusOr<std::unique_ptr<KeyRing>> KeyRing::Open(std::filesystem::path directory,
                                                       metrics::Registry& registry) {
  std::unique_ptr<KeyRing> ring(new KeyRing(std::move(directory), registry));
  ring->WatchDirectory();  // before reading, so that no change falls between
  RETURN_IF_ERROR(ring->Reload());
  ring->watcher_ = std::jthread([raw = ring.get()](const std::stop_token& stop) { raw->Watch(stop); });
  return ring;
}

std::shared_ptr<const KeySet> KeyRing::keys() const {
  absl::MutexLock lock(&mutex_);
  return keys_;
}

absl::Status KeyRing::Reload() {
  absl::MutexLock reloading(&reloading_);
  absl::StatusOr<KeySet> loaded = KeySet::Load(directory_);
  if (!loaded.ok()) {
    reload_failures_.Increment();
    return loaded.status();
  }
  auto next = std::make_shared<const KeySet>(*std::move(loaded));
  std::shared_ptr<const KeySet> old;
  {
    absl::MutexLock lock(&mutex_);
    old = std::exchange(keys_, next);
  }
  const auto publish = [this](const KeySet& set, double present) {
    registry_
        .Gauge("verdict_keyset_primary_info", "1 for the key that signs new tokens.", {{"kid", set.primary}})
        .Set(present);
    for (const auto& [kid, key] : set.keys) {
      registry_.Gauge("verdict_keyset_has_kid", "1 for each key that verifies tokens.", {{"kid", kid}})
          .Set(present);
    }
  };
  if (old) publish(*old, 0);
  publish(*next, 1);
  if (!old || old->primary != next->primary || Describe(*old) != Describe(*next)) {
    log::Info("key set loaded", {{"primary", next->primary}, {"keys", Describe(*next)}});
  }
  return absl::OkStatus();
}

void KeyRing::WatchDirectory() const {
  // Again after each change: the directory itself may have been replaced. The same one is watched once.
  if (inotify_ >= 0) {
    inotify_add_watch(inotify_, directory_.c_str(),
                      IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF);
  }
}

void KeyRing::Watch(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { eventfd_write(wake_, 1); });
  while (true) {
    std::array<pollfd, 2> waits = {pollfd{.fd = inotify_, .events = POLLIN, .revents = 0},
                                   pollfd{.fd = wake_, .events = POLLIN, .revents = 0}};
    poll(waits.data(), waits.size(), static_cast<int>(kPollInterval.count()));
    if (stop.stop_requested()) return;
    std::array<char, 4096> events;
    while (inotify_ >= 0 && read(inotify_, events.data(), events.size()) > 0) {
    }
    WatchDirectory();
    if (const absl::Status status = Reload(); !status.ok()) {
      log::Error("key set not reloaded, the old one stays in use",
                 {{"error", std::string(status.message())}});
    }
  }
}

}  // namespace verdict::token
