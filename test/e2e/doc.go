// Package e2e tests the built gateway with the real parts around it: Claude
// Code, the Anthropic and OpenAI SDKs, Keycloak, redis-server and Chromium. Only
// the model is simulated.
//
// The tests carry the build tag e2e and run with `make e2e`. They fetch what
// they lack (npm packages, Keycloak) into the user's cache directory; where CI
// is true, a part that cannot be had is a failure.
package e2e
