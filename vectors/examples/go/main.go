// Answers the requests of the test vectors: four operations, with Go's standard library alone.
//
// To test a library of yours, keep main and answer, and let the operations call it.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"strconv"
)

type object = map[string]any

var operations = map[string]func(input object, version int) (object, error){
	"canonical_json": func(input object, version int) (object, error) {
		text, _ := input["json"].(string)
		value, err := parse([]byte(text))
		if err != nil {
			return nil, err
		}
		written, err := canonical(value, version >= 6)
		return object{"canonical": string(written)}, err
	},
	"content_hash": func(input object, version int) (object, error) {
		hash, err := contentHash(event(input), version)
		return object{"sha256": hash}, err
	},
	"event_id": func(input object, version int) (object, error) {
		id, err := eventID(event(input), version)
		return object{"event_id": id}, err
	},
	"redact": func(input object, version int) (object, error) {
		redacted, err := redact(event(input), version)
		return object{"event": redacted}, err
	},
}

func event(input object) object {
	found, _ := input["event"].(object)
	return found
}

// answer returns the answer to a request, without its id.
func answer(request object) object {
	name, _ := request["operation"].(string)
	operation, offered := operations[name]
	text, _ := request["room_version"].(string)
	version, err := strconv.Atoi(text)
	input, isObject := request["input"].(object)
	if !offered || err != nil || version < 1 || version > 12 || !isObject {
		return object{"unsupported": true}
	}
	return call(operation, input, version)
}

// call answers with an error if the operation fails or panics: a crash would fail the case without a reason.
func call(operation func(object, int) (object, error), input object, version int) (response object) {
	defer func() {
		if reason := recover(); reason != nil {
			debug.PrintStack() // on standard error
			response = object{"error": "panic", "message": fmt.Sprint(reason)}
		}
	}()
	output, err := operation(input, version)
	if err != nil {
		return object{"error": err.Error()}
	}
	return object{"output": output}
}

// parse reads one JSON value. Numbers stay as they are written: a float64 would round large integers.
func parse(text []byte) (any, error) {
	if err := checkSurrogates(text); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one value")
	}
	return value, nil
}

func main() {
	// Not a bufio.Scanner: it stops at lines of 64 KiB, and requests have up to 1 MiB.
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		line, end := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			value, err := parse(line)
			request, isObject := value.(object)
			if err != nil || !isObject {
				log.Fatalf("not a request: %v", err)
			}
			response := answer(request)
			response["id"] = request["id"]
			if err := out.Encode(response); err != nil { // writes at once, with a line end
				log.Fatal(err)
			}
		}
		if end != nil {
			return
		}
	}
}
