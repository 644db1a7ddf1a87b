//! Checks the manifests as kustomize renders them, and compares Helm's chart with them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Stdio;

use harness::schema;
use serde_json::{Deserializer, Value, json};

use crate::deploy::{VERSION, deployed, output_of, tool, tool_path};

/// Lists each form, with the kinds of its objects.
const FORMS: &[(&str, &[&str])] = &[
    ("cronjob", &["ConfigMap", "CronJob", "CronJob", "Job", "ServiceAccount"]),
    ("daemon", &["ConfigMap", "Deployment", "Job", "PersistentVolumeClaim", "Service", "ServiceAccount"]),
    (
        "monitored",
        &["ConfigMap", "Deployment", "Job", "PersistentVolumeClaim", "Service", "ServiceAccount", "ServiceMonitor"],
    ),
];

/// Returns objects by kind and name, from what a program prints as YAML.
fn objects(yaml: &str) -> Option<BTreeMap<String, Value>> {
    // It removes an annotation that no object has, and so prints each as it is, as JSON.
    let mut kubectl = tool("kubectl")?;
    kubectl.args(["annotate", "--local", "--output", "json", "--filename", "-", "nothing-"]);
    let mut kubectl = kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = kubectl.stdin.take().unwrap();
    let yaml = yaml.to_owned();
    let writing = std::thread::spawn(move || input.write_all(yaml.as_bytes()));
    let output = kubectl.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success());
    let objects = Deserializer::from_slice(&output.stdout).into_iter::<Value>().map(Result::unwrap);
    let named = |object: &Value| {
        format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
    };
    let objects: Vec<_> = objects.map(|object| (named(&object), object)).collect();
    let count = objects.len();
    let objects = BTreeMap::from_iter(objects);
    assert_eq!(objects.len(), count, "two objects have one name");
    Some(objects)
}

/// Returns what `kubectl apply -k` would send; `None` if kubectl is not installed.
fn rendered(folder: &str) -> Option<String> {
    Some(output_of(tool("kubectl")?.arg("kustomize").arg(deployed(&format!("kubernetes/{folder}")))))
}

/// Returns what Helm would send for a form, with its configuration; `None` if Helm is not
/// installed.
fn charted(form: &str, more: &[&str]) -> Option<String> {
    let (mode, config) = if form == "cronjob" { ("cronjob", "base") } else { ("daemon", "daemon") };
    let config = deployed(&format!("kubernetes/{config}/config.toml"));
    let mut helm = tool("helm")?;
    helm.args(["template", "odoo-backup"]).arg(deployed("helm/odoo-backup")).args(["--set", &format!("mode={mode}")]);
    helm.args(["--set-file", &format!("config={}", config.display())]);
    helm.args(["--set", &format!("serviceMonitor.enabled={}", form == "monitored")]).args(more);
    Some(output_of(&mut helm))
}

/// Returns the pod's template of an object that has one.
fn pod(object: &Value) -> Option<&Value> {
    match object["kind"].as_str()? {
        "Deployment" | "Job" => Some(&object["spec"]["template"]),
        "CronJob" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]),
        _ => None,
    }
}

#[test]
fn each_form_renders_its_objects() {
    for (form, expected) in FORMS {
        for rendered in [rendered(form), charted(form, &[])].into_iter().flatten() {
            let Some(objects) = objects(&rendered) else { return };
            let kinds: Vec<_> = objects.values().map(|object| object["kind"].as_str().unwrap()).collect();
            assert_eq!(kinds, *expected, "{rendered}");
        }
    }
}

/// Panics unless objects are as Kubernetes's own schemas say, which refuse unknown keys.
fn assert_valid(objects: &BTreeMap<String, Value>) {
    let Some(schemas) = tool_path("kubernetes-1.37.json") else { return };
    let schemas: Value = serde_json::from_str(&fs::read_to_string(schemas).unwrap()).unwrap();
    for (name, object) in objects {
        let version = object["apiVersion"].as_str().unwrap();
        // Of an operator, not of Kubernetes.
        if version.starts_with("monitoring.coreos.com/") {
            continue;
        }
        let (group, version) = version.split_once('/').unwrap_or(("core", version));
        let kind = format!("io.k8s.api.{group}.{version}.{}", object["kind"].as_str().unwrap());
        assert!(schemas["$defs"][&kind].is_object(), "{kind} has no schema");
        let schema = json!({ "$ref": format!("#/$defs/{kind}"), "$defs": schemas["$defs"] });
        let wrong = schema::violations(&schema, object);
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
}

#[test]
fn objects_are_as_schemas_say() {
    for (form, _) in FORMS {
        for rendered in [rendered(form), charted(form, &[])].into_iter().flatten() {
            assert_valid(&objects(&rendered).unwrap());
        }
    }
}

#[test]
#[should_panic(expected = "runAsUsr")]
fn schemas_refuse_unknown_keys() {
    let yaml = rendered("daemon").map(|yaml| yaml.replace("runAsUser:", "runAsUsr:"));
    yaml.and_then(|yaml| objects(&yaml)).iter().for_each(assert_valid);
    assert!(tool_path("kubernetes-1.37.json").is_some(), "skipped, as if it had found runAsUsr");
}

/// Checks that the ConfigMap's name contains a digest and that each pod mounts it by that name, so
/// that a changed configuration starts new pods.
#[test]
fn pods_mount_configuration_by_digest() {
    for (form, _) in FORMS {
        let Some(objects) = rendered(form).and_then(|rendered| objects(&rendered)) else { return };
        let configuration = objects.values().find(|object| object["kind"] == "ConfigMap").unwrap();
        let name = configuration["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("odoo-backup-"), "{name}");
        for volumes in objects.values().filter_map(pod).map(|pod| pod["spec"]["volumes"].as_array().unwrap()) {
            assert!(volumes.iter().any(|volume| volume["configMap"]["name"] == name), "{volumes:?}");
        }
    }
}

#[test]
fn pods_are_confined() {
    for (form, _) in FORMS {
        let Some(objects) = rendered(form).and_then(|rendered| objects(&rendered)) else { return };
        for (name, pod) in objects.iter().filter_map(|(name, object)| Some((name, &pod(object)?["spec"]))) {
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
            for container in pod["containers"].as_array().unwrap() {
                let expected = json!({
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                });
                assert_eq!(container["securityContext"], expected, "{name}");
                assert_eq!(container["image"], format!("odoo-backup:{VERSION}"), "{name}");
                // Secrets are files: a variable is seen by each process that is started.
                assert!(container["env"].is_null() && container["envFrom"].is_null(), "{name}");
            }
        }
    }
}

#[test]
fn daemon_has_probes() {
    let Some(objects) = rendered("daemon").and_then(|rendered| objects(&rendered)) else { return };
    let container = &objects["Deployment odoo-backup"]["spec"]["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"], json!({ "path": "/healthz", "port": "http" }), "{probe}");
    }
}

/// Checks that the Service sends no requests to a pod that is no daemon.
#[test]
fn service_selects_daemon_alone() {
    for rendered in [rendered("daemon"), charted("daemon", &[])].into_iter().flatten() {
        let Some(objects) = objects(&rendered) else { return };
        let selector = objects["Service odoo-backup"]["spec"]["selector"].as_object().unwrap();
        let selected = objects.iter().filter(|(_, object)| {
            let labels = pod(object).map(|pod| &pod["metadata"]["labels"]);
            labels.is_some_and(|labels| selector.iter().all(|(label, value)| &labels[label] == value))
        });
        assert_eq!(selected.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["Deployment odoo-backup"]);
    }
}

/// Removes what only Helm's objects have, and the digest in the name that kustomize gives the
/// ConfigMap.
fn without_renderer(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for labels in ["labels", "annotations", "selector", "matchLabels"] {
                let Some(Value::Object(labels)) = fields.get_mut(labels) else { continue };
                labels.retain(|label, _| {
                    let of_helm = label.starts_with("helm.sh/") || label == "checksum/config";
                    !of_helm && (!label.starts_with("app.kubernetes.io/") || label == "app.kubernetes.io/name")
                });
            }
            fields.retain(|key, value| {
                let is_empty = value.as_object().is_some_and(|fields| fields.is_empty());
                key != "imagePullPolicy" && !(is_empty && ["labels", "annotations"].contains(&key.as_str()))
            });
            fields.values_mut().for_each(without_renderer);
        }
        Value::Array(values) => values.iter_mut().for_each(without_renderer),
        Value::String(text) if is_configuration(text) => "odoo-backup".clone_into(text),
        _ => {}
    }
}

/// Tells the name of the ConfigMap by its digest, ten letters and digits.
fn is_configuration(name: &str) -> bool {
    name.strip_prefix("odoo-backup-").is_some_and(|digest| {
        digest.len() == 10 && digest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

#[test]
fn chart_is_same_as_manifests() {
    for (form, _) in FORMS {
        let (Some(rendered), Some(charted)) = (rendered(form), charted(form, &[])) else { return };
        let [rendered, charted] = [rendered, charted].map(|yaml| {
            let objects = objects(&yaml).unwrap().into_values().map(|mut object| {
                without_renderer(&mut object);
                (format!("{} {}", object["kind"], object["metadata"]["name"]), object)
            });
            BTreeMap::from_iter(objects)
        });
        assert_eq!(rendered.keys().collect::<Vec<_>>(), charted.keys().collect::<Vec<_>>(), "{form}");
        for (name, object) in &rendered {
            assert_eq!(object, &charted[name], "{form}: {name}");
        }
    }
}

#[test]
fn chart_takes_values() {
    let values = [
        "--set=image.repository=registry.example.com/odoo-backup,image.tag=2.0.0,user.uid=101,user.gid=1101",
        "--set=filestore.claim=shop,secrets.name=a,secrets.token=b,state.size=9Gi,state.storageClass=fast",
        "--set=resources.limits.memory=3Gi,nodeSelector.disk=ssd",
    ];
    let Some(objects) = charted("monitored", &values).and_then(|rendered| objects(&rendered)) else { return };
    assert_valid(&objects);
    let pod = &objects["Deployment odoo-backup"]["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["image"], "registry.example.com/odoo-backup:2.0.0");
    assert_eq!(pod["containers"][0]["resources"], json!({ "limits": { "memory": "3Gi" } }));
    assert_eq!(pod["nodeSelector"], json!({ "disk": "ssd" }));
    let context = &pod["securityContext"];
    assert_eq!([&context["runAsUser"], &context["runAsGroup"], &context["fsGroup"]], [101, 1101, 1101]);
    let volume = |name: &str| pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == name).unwrap();
    assert_eq!(volume("odoo-web-data")["persistentVolumeClaim"]["claimName"], "shop");
    assert_eq!(volume("state")["persistentVolumeClaim"]["claimName"], "odoo-backup-state");
    let sources = json!([{ "secret": { "name": "a" } }, { "secret": { "name": "b" } }]);
    assert_eq!(volume("secrets")["projected"]["sources"], sources);
    let state = &objects["PersistentVolumeClaim odoo-backup-state"]["spec"];
    assert_eq!(
        (&state["resources"]["requests"]["storage"], &state["storageClassName"]),
        (&json!("9Gi"), &json!("fast"))
    );
    let monitor = &objects["ServiceMonitor odoo-backup"]["spec"]["endpoints"][0];
    assert_eq!(monitor["authorization"]["credentials"]["name"], "b");
}

#[test]
fn chart_names_objects_after_release() {
    let Some(mut helm) = tool("helm") else { return };
    helm.args(["template", "shop"]).arg(deployed("helm/odoo-backup")).args(["--set", "config=x"]);
    let Some(objects) = objects(&output_of(&mut helm)) else { return };
    let names: Vec<_> = objects.keys().collect();
    assert_eq!(
        names,
        [
            "ConfigMap shop",
            "Deployment shop",
            "Job shop-init",
            "PersistentVolumeClaim shop-state",
            "Service shop",
            "ServiceAccount shop"
        ]
    );
    for pod in objects.values().filter_map(pod) {
        assert_eq!(pod["spec"]["serviceAccountName"], "shop");
    }
}

#[test]
fn chart_refuses_wrong_values() {
    for (values, expected) in [
        (vec![], "the configuration is missing"),
        (vec!["--set=config=x,mode=none"], "mode"),
        (vec!["--set=config=x,user.uid=0"], "uid"),
        (vec!["--set=config=x,filestor.claim=x"], "filestor"),
    ] {
        let Some(mut helm) = tool("helm") else { return };
        let output = helm.args(["template", "x"]).arg(deployed("helm/odoo-backup")).args(&values).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && message.contains(expected), "{values:?}: {message}");
    }
}

#[test]
fn helm_accepts_chart() {
    let Some(mut helm) = tool("helm") else { return };
    output_of(helm.args(["lint", "--strict"]).arg(deployed("helm/odoo-backup")));
    let chart = fs::read_to_string(deployed("helm/odoo-backup/Chart.yaml")).unwrap();
    for key in ["version", "appVersion"] {
        assert!(chart.lines().any(|line| line == format!("{key}: {VERSION}")), "{chart}");
    }
}
