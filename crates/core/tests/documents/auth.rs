//! How people sign in, as `auth.yaml` says.

use std::collections::BTreeMap;

use levada_core::access::Role;
use levada_core::config::{AuthDocument, Variables};

use super::{env, secret};

#[test]
fn people_sign_in_as_the_file_says() {
    let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
    let read = |oidc: &str| AuthDocument::parse("auth.yaml", &format!("version: 1\noidc: {oidc}\n"), &variables);
    let given = "{ issuer: \"https://id.example\", client_id: levada, client_secret: \"${secret:dw}\", \
                 roles: { admins: admin, staff: editor }, default_role: viewer }";
    let oidc = read(given).unwrap().oidc.unwrap();
    assert_eq!((oidc.issuer.as_str(), oidc.groups_claim.as_str()), ("https://id.example", "groups"));
    assert_eq!(oidc.scopes, ["openid", "profile", "email"]);
    assert_eq!((oidc.roles["staff"], oidc.default_role), (Role::Editor, Some(Role::Viewer)));
    assert!(!oidc.client_secret.unwrap().is_empty());
    for (bad, told) in [
        ("{ client_id: x }", "issuer"),
        ("{ issuer: \"https://x\", client_id: x }", "nobody would have a role"),
        ("{ issuer: \"https://x\", client_id: x, default_role: root }", "auth.yaml:2:"),
        ("{ issuer: \"https://x\", client_id: x, default_role: viewer, scopes: [email] }", "`openid`"),
        ("{ issuer: \"https://x\", client_id: x, default_role: viewer, secret: x }", "`secret`"),
    ] {
        let errors = read(bad).unwrap_err();
        assert!(errors[0].to_string().contains(told), "{bad}: {errors:?}");
    }
    assert!(AuthDocument::parse("auth.yaml", "version: 1\n", &variables).unwrap().oidc.is_none());
    assert!(AuthDocument::parse("auth.yaml", "", &variables).is_err());
}
