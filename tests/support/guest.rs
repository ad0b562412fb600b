//! Guests that mean harm: components of world `session`, written by hand.

/// A component whose `run` is `body`, a core function that may call
///
/// * `$get`: `control.get-connection`, a new handle each time,
/// * `$login`: `accounts.authenticate` as anonymous,
/// * `$passive`: `data-port.passive`; what comes of it is kept,
/// * `$end`: wait until the host wants the session to end, or the client says something,
/// * `$deep`: itself, without end.
///
/// It runs once it has a client.
pub fn guest(body: &str) -> Vec<u8> {
    hasty(&format!("(drop (call $get)) {body}"))
}

/// The same, and it runs before there is a client.
pub fn hasty(body: &str) -> Vec<u8> {
    wat::parse_str(COMPONENT.replace("BODY", body)).unwrap()
}

const COMPONENT: &str = r#"
(component
  (import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.12" (instance $streams
    (alias outer 1 $pollable (type $pollable-outside))
    (export "pollable" (type $pollable (eq $pollable-outside)))
    (export "input-stream" (type $input (sub resource)))
    (export "[method]input-stream.subscribe"
      (func (param "self" (borrow $input)) (result (own $pollable))))))
  (alias export $streams "input-stream" (type $input))
  (import "ftpd:server/control@0.1.0" (instance $control
    (alias outer 1 $input (type $input-outside))
    (export "input-stream" (type $input (eq $input-outside)))
    (export "connection" (type $connection (sub resource)))
    (export "get-connection" (func (result (own $connection))))
    (export "[method]connection.input"
      (func (param "self" (borrow $connection)) (result (own $input))))))
  (import "ftpd:server/storage@0.1.0" (instance $storage
    (export "volume" (type (sub resource)))))
  (alias export $storage "volume" (type $volume))
  (import "ftpd:server/accounts@0.1.0" (instance $accounts
    (alias outer 1 $volume (type $volume-outside))
    (export "volume" (type $volume (eq $volume-outside)))
    (type $a-grant
      (record (field "volume" (own $volume)) (field "start" (list u8)) (field "message" (option string))
        (field "charset" (option string))))
    (export "grant" (type $grant (eq $a-grant)))
    (type $a-denial (enum "denied" "unprotected" "unavailable"))
    (export "denial" (type $denial (eq $a-denial)))
    (export "authenticate" (func
      (param "user" (list u8)) (param "password" (list u8)) (result (result $grant (error $denial)))))))
  (import "ftpd:server/data@0.1.0" (instance $data
    (export "data-port" (type $port (sub resource)))
    (type $an-error
      (enum "refused" "no-port" "unreachable" "timeout" "broken" "unprotected" "tls" "truncated" "pending"))
    (export "error" (type $error (eq $an-error)))
    (export "[static]data-port.passive" (func (result (result (own $port) (error $error)))))))

  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 0) "anonymous")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $memory (instantiate $memory))
  (core func $get (canon lower (func $control "get-connection")))
  (core func $input (canon lower (func $control "[method]connection.input")))
  (core func $subscribe (canon lower (func $streams "[method]input-stream.subscribe")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $authenticate (canon lower (func $accounts "authenticate")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $passive (canon lower (func $data "[static]data-port.passive") (memory (core memory $memory "memory"))))

  (core module $guest
    (import "host" "memory" (memory 1))
    (import "host" "get" (func $get (result i32)))
    (import "host" "input" (func $input (param i32) (result i32)))
    (import "host" "subscribe" (func $subscribe (param i32) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "authenticate" (func $authenticate (param i32 i32 i32 i32 i32)))
    (import "host" "passive" (func $listen (param i32)))
    (func $login (call $authenticate (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 1) (i32.const 64)))
    (func $passive (call $listen (i32.const 128)))
    (func $end (call $block (call $subscribe (call $input (call $get)))))
    (func $deep (result i32) (i32.add (call $deep) (i32.const 1)))
    (func $run (export "run") (result i32) (local $i i32) BODY))
  (core instance $guest (instantiate $guest (with "host" (instance
    (export "memory" (memory $memory "memory"))
    (export "get" (func $get))
    (export "input" (func $input))
    (export "subscribe" (func $subscribe))
    (export "block" (func $block))
    (export "authenticate" (func $authenticate))
    (export "passive" (func $passive))))))
  (func $run (result (result)) (canon lift (core func $guest "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $run)))
"#;
