// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/host/model.h"
#include "runtime-loader/host/public_part.h"
#include "runtime-loader/host/tee_client.h"
#include "runtime-loader/schemes/layers/parameters.h"

namespace sealpack::host {

// A model whose secure part runs in a TEE and whose public parts, if it has any, run here:
//
//   inputs → before (public) → taps → secure → answers
//                                        └→ returned → after (public) → more answers
//
// The bundle is open in the TEE already; all that is needed here is its public part.
class DividedModel final : public Model {
 public:
  // kMalformed for a plan that does not fit; kUnsupported for a scheme this host cannot feed. All
  // that is passed must outlive it.
  static Result<DividedModel> create(TeeClient& tee, loader::BundleId bundle,
                                     const unpacker::VerifiedBundle& verified,
                                     nn::Workers& workers);

  // Outputs of the secure part that must leave when `wanted` (all, if empty) are the outputs that
  // somebody wants of the model: for the launch configuration.
  static Result<std::vector<std::string>> leaving_outputs(const bundle::Content& content,
                                                          const std::vector<std::string>& wanted);

  // Makes all parts ready for inputs of these shapes. May be called again with others. The TEE's
  // refusal: see TeeClient::last_refusal.
  Status load(const InputShapes& shapes, const loader::LoadOptions& options);

  // After load. Ports of the model; the TEE's part of it.
  const std::vector<loader::Port>& inputs() const override { return inputs_; }
  const std::vector<loader::Port>& outputs() const override { return outputs_; }
  const std::vector<loader::Port>& answers() const override { return secure_.outputs; }
  const loader::ModelInfo& secure() const { return secure_; }

  Result<HostAnswer> run(const std::map<std::string, HostTensor>& inputs) override;

 private:
  DividedModel(TeeClient& tee, loader::BundleId bundle, const unpacker::VerifiedBundle& verified,
               nn::Workers& workers)
      : tee_(&tee), bundle_(bundle), verified_(&verified), workers_(&workers) {}
  using Values = std::map<std::string, const HostTensor*>;

  Status load_after(const InputShapes& shapes);
  void describe();
  Result<std::vector<HostTensor>> run_before(const Values& inputs);
  Status run_after(Values values, HostAnswer& answer);
  std::string source_of_tap(const std::string& tap) const;
  std::string source_of_after(const std::string& input) const;

  TeeClient* tee_;
  loader::BundleId bundle_;
  const unpacker::VerifiedBundle* verified_;
  nn::Workers* workers_;
  layers::Parameters plan_;  // empty for `whole`
  std::unique_ptr<PublicPart> before_;
  std::unique_ptr<PublicPart> after_;
  loader::ModelInfo secure_;
  std::vector<loader::Port> inputs_;
  std::vector<loader::Port> outputs_;
};

}  // namespace sealpack::host
