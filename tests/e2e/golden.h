#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/stack.h"

namespace verdict::test {

// A conversation with the product, kept as a text file: requests, and the answers they must get.
//
//   # What the file shows.
//   @ctl reader .key key create --project $project_id --user $user_id --scopes read
//   === minting a token
//   POST /api/v1/feedback/token
//   Authorization: Bearer $key
//
//   {"resource_type": "trace", "resource_id": "t-1"}
//   => 200
//   Cache-Control: no-store
//   {
//     "token": "<token>", …
//   }
//   @token .token
//
// `@NAME .MEMBER` keeps a member of the answer as $NAME; `@ctl NAME .MEMBER COMMAND…` one of what verdictctl
// prints. $key, $project_id, $org_id, $user_id and $key_id are those of a tenant of the file's own. Of an
// answer's header fields those that the file lists are compared; in its body, ids, times, tokens and keys are
// masked. With UPDATE_GOLDEN=1 the answers are rewritten instead of compared.
class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& path);

  // Plays the file against the stack and returns it as it should read, with the answers that came.
  std::string Play(Stack& stack);

  const std::string& text() const { return text_; }

 private:
  using Variables = std::map<std::string, std::string>;

  std::string PlayStep(Stack& stack, const std::string& step, Variables& variables) const;

  std::string name_;
  std::string text_;
};

}  // namespace verdict::test
