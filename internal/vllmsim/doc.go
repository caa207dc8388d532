// Package vllmsim is a simulator of vLLM 0.32: an HTTP handler that answers as
// the real server does, without a model.
//
// It decides what goes over the wire: routes, the two error shapes, the order
// of events and of JSON members, ids, usage, metrics, queueing and what a
// client that leaves does to a running answer. All of that follows recordings
// of the real server, which the tests replay. What is said is decided by an
// [Engine]; the one in this package is [Scripted]. The package does not know
// the gateway, and a simulated answer always says that it is simulated.
//
// # Scripts
//
// The scripted engine reads the last text of the user (text inside
// <system-reminder> does not count). Markers, several of which may stand in one
// text, ask for a behaviour:
//
//	[[sim say TEXT]]             answer with TEXT, to the end of the marker
//	[[sim n=200]]                answer with 200 words, one token each
//	[[sim forever]]              answer without an end
//	[[sim empty]]                answer with nothing
//	[[sim empty200]]             status 200 and an empty body
//	[[sim think]]                reason first
//	[[sim tool NAME {JSON}]]     call a tool; several markers are parallel calls
//	[[sim first=3s]]             wait before the first token
//	[[sim gap=50ms]]             wait between tokens
//	[[sim status=503]]           refuse: 500 as in a drain, 503 as a full queue, 429 and others
//	[[sim die after=10]]         the engine dies after 10 tokens
//	[[sim cut after=10]]         the connection closes after 10 tokens
//	[[sim abort after=10]]       finish_reason abort after 10 tokens
//
// The words of one marker may be combined: [[sim gap=50ms n=200 cut after=20]].
// A word that the simulator does not know is answered with a text that says so.
//
// Without a marker a few sentences are understood, so that a coding agent can
// do something real: "Create a file NAME with the text TEXT", "In NAME replace
// OLD with NEW" (also "Replace OLD with NEW in NAME", "Edit NAME and replace
// OLD with NEW") and "Run the command COMMAND". They become calls of the tools
// Write, Read, Edit and Bash as the request offers them, one round after the
// other; relative names are taken from the working directory that the system
// text names. When the tools have answered, a closing text repeats the result.
//
// A request for structured output is answered with JSON that fits its schema; a
// member called "title" becomes "Simulated session". Everything else is echoed.
//
// # Tokens
//
// Tokens are cut by a fixed rule and not learnt: special tags are one token,
// other text is cut into pieces of at most four bytes that end where a run of
// spaces begins and never inside a rune. A chat message costs five tokens on
// top of its text, the opening of the answer three, as with Qwen's template.
package vllmsim
