//! Components of world `accounts-provider`, written by hand.

/// A component whose `check` is `body`, a core function that returns the address of its answer:
///
/// * `$main`: an account that has the root `main`, and may do everything,
/// * `$other`: one that has the root `other`,
/// * `$denied`: none.
///
/// It may call `$forever` and `$glut`, and has a local `$i`.
pub fn accounts(body: &str) -> Vec<u8> {
    wat::parse_str(COMPONENT.replace("BODY", body)).unwrap()
}

const COMPONENT: &str = r#"
(component
  (core module $module
    (memory (export "memory") 1)
    (data (i32.const 0) "mainother/")
    ;; result::ok; name, root and start: address and length; permissions; no message.
    (data (i32.const 64) "\00\00\00\00" "\00\00\00\00\04\00\00\00" "\00\00\00\00\04\00\00\00" "\09\00\00\00\01\00\00\00"
      "\ff\00\00\00" "\00\00\00\00")
    (data (i32.const 128) "\00\00\00\00" "\04\00\00\00\05\00\00\00" "\04\00\00\00\05\00\00\00" "\09\00\00\00\01\00\00\00"
      "\ff\00\00\00" "\00\00\00\00")
    ;; result::err of denied.
    (data (i32.const 192) "\01\00\00\00\00\00\00\00")
    (global $main i32 (i32.const 64))
    (global $other i32 (i32.const 128))
    (global $denied i32 (i32.const 192))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func $forever (loop (br 0)))
    (func $glut (loop (br_if 0 (i32.ge_s (memory.grow (i32.const 256)) (i32.const 0)))) unreachable)
    (func (export "check") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $i i32) BODY))
  (core instance $core (instantiate $module))

  (type $permissions (flags "list" "read" "write" "delete" "rename" "make-directory" "remove-directory" "set-attributes"))
  (type $log-in (record (field "name" (list u8)) (field "password" (option (list u8))) (field "peer" string)
    (field "tls" bool) (field "host" (option string))))
  (type $account (record (field "name" (list u8)) (field "root" string) (field "start" (list u8))
    (field "permissions" $permissions) (field "message" (option string))))
  (type $denial (enum "denied" "unprotected" "unavailable"))
  (func $check (param "log-in" $log-in) (result (result $account (error $denial)))
    (canon lift (core func $core "check") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))

  ;; Gives the types their names.
  (component $named
    (type $permissions0
      (flags "list" "read" "write" "delete" "rename" "make-directory" "remove-directory" "set-attributes"))
    (import "i-permissions" (type $permissions1 (eq $permissions0)))
    (type $log-in0 (record (field "name" (list u8)) (field "password" (option (list u8))) (field "peer" string)
      (field "tls" bool) (field "host" (option string))))
    (import "i-log-in" (type $log-in1 (eq $log-in0)))
    (type $account0 (record (field "name" (list u8)) (field "root" string) (field "start" (list u8))
      (field "permissions" $permissions1) (field "message" (option string))))
    (import "i-account" (type $account1 (eq $account0)))
    (type $denial0 (enum "denied" "unprotected" "unavailable"))
    (import "i-denial" (type $denial1 (eq $denial0)))
    (import "i-check" (func $check (param "log-in" $log-in1) (result (result $account1 (error $denial1)))))
    (export $permissions2 "permissions" (type $permissions0))
    (export $log-in2 "log-in" (type $log-in0))
    (type $account2 (record (field "name" (list u8)) (field "root" string) (field "start" (list u8))
      (field "permissions" $permissions2) (field "message" (option string))))
    (export $account3 "account" (type $account2))
    (export $denial2 "denial" (type $denial0))
    (export "check" (func $check) (func (param "log-in" $log-in2) (result (result $account3 (error $denial2))))))
  (instance $backend (instantiate $named
    (with "i-permissions" (type $permissions)) (with "i-log-in" (type $log-in)) (with "i-account" (type $account))
    (with "i-denial" (type $denial)) (with "i-check" (func $check))))
  (export "ftpd:server/accounts-backend@0.1.0" (instance $backend)))
"#;
