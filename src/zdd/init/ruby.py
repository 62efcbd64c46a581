"""Projects with a Gemfile: Rails, and what config.ru makes of Rack."""

from __future__ import annotations

from zdd.init.folder import Folder
from zdd.init.proposal import Proposal, Service

_BUNDLE = ["bundle config set --local path vendor/bundle", "bundle install --quiet"]


def ruby(folder: Folder) -> Proposal | None:
    """Return what a Rails or Rack project needs; None where there is none."""
    if not folder.has("config.ru"):
        return None
    rails = folder.has("config/application.rb")
    env = {"RACK_ENV": "production"} | ({"RAILS_ENV": "production"} if rails else {})
    keys: dict[str, object] = {"run": "bundle exec puma -b unix://{socket}", "socket": "unix", "env": env}
    comments = [] if "puma" in folder.text("Gemfile") else ["puma serves here, and the Gemfile does not have it yet."]
    if not rails:
        return Proposal("Rack", [Service("web", keys)], _BUNDLE, comments=comments)
    shared = ["log/", "storage/", *(["config/master.key"] if folder.has("config/master.key") else [])]
    build = [*_BUNDLE, "RAILS_ENV=production bundle exec rails assets:precompile"]
    before = "RAILS_ENV=production bundle exec rails db:migrate"
    return Proposal("Rails", [Service("web", keys)], build, shared, before_start=before, comments=comments)
