"""What a receiver in Python accepts: `python3 verify.py < cases.json` prints true or false for each case.
The part between the lines is in docs/signatures.md. Must not compute a signature of its own."""

import base64
import json
import sys

# ---
from standardwebhooks import Webhook, WebhookVerificationError


def accepts(secret, headers, body):
    """`body` is the bytes as they came, before anything parsed them."""
    webhook = Webhook(secret if secret.startswith("whsec_") else secret.encode())
    try:
        webhook.verify(body, headers)
    except WebhookVerificationError:
        return False
    return True
# ---


def main():
    cases = json.load(sys.stdin)
    found = [accepts(case["secret"], case["headers"], base64.b64decode(case["body"])) for case in cases]
    print(json.dumps(found))


main()
