// Package anthropic knows what single Claude models take and fits a Messages
// request to the model that gets it.
//
// A body that was written for one Claude model is often a 400 to another: forms
// of thinking, levels of effort, sampling parameters, system turns and deferred
// tools differ. What a model takes is what the provider's list of models says
// ([Capabilities]); what it does not say is a table that ages ([Assume]).
//
// The package knows no tiers, routes or HTTP.
package anthropic
