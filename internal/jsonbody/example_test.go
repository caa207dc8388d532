package jsonbody_test

import (
	"fmt"

	"github.com/openova-io/llm-gateway/internal/jsonbody"
)

// A request goes to another model; the rest of its bytes stays as it is.
func ExampleApply() {
	body := []byte(`{ "model":"claude-3-opus", "max_tokens":128000, "messages":[] }`)
	var f jsonbody.Facts
	if err := jsonbody.Scan(body, &f); err != nil {
		fmt.Println(err)
		return
	}
	edits := f.ReplaceModel(nil, "qwen3-32b")
	edits = append(edits, f.Replace(f.MaxTokensValue, []byte("8000")))
	fmt.Println(string(jsonbody.Apply(nil, body, edits)))
	// Output: { "model":"qwen3-32b", "max_tokens":8000, "messages":[] }
}

// What two parsers would read in two ways is refused, with a reason to send.
func ExampleError_Reason() {
	var f jsonbody.Facts
	err := jsonbody.Scan([]byte(`{"model":"qwen3-32b","mod\u0065l":"claude-3-opus"}`), &f)
	fmt.Println(err)
	// Output: request body has two members named model
}
