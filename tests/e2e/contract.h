#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include "verdict/options/v1/options.pb.h"

namespace verdict::test {

// What the contracts say, from the image of their descriptors, so that what is added to them is found by
// itself.
class Contract {
 public:
  struct Route {
    std::string verb;
    std::string path;  // with {variables}
  };
  struct Method {
    const google::protobuf::MethodDescriptor* descriptor;
    options::v1::AuthRule auth;
    std::vector<Route> routes;  // none for RPCs without REST

    // "/package.Service/Method"
    std::string rpc() const;
    // The variable of the contracts' environment that has its service's address: VERDICT_TOKEN_ADDR, …
    std::string address_variable() const;
  };

  Contract();

  const std::vector<Method>& methods() const { return methods_; }

  // A request that keeps its fields' rules, as far as they can tell: strings named in `values` have that
  // value, at any depth; of the others, what is required is set.
  std::unique_ptr<google::protobuf::Message> Request(const Method& method,
                                                     const std::map<std::string, std::string>& values);
  std::unique_ptr<google::protobuf::Message> Response(const Method& method);

 private:
  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory factory_{&pool_};
  std::vector<Method> methods_;
};

}  // namespace verdict::test
